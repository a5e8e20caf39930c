//! Those who listen to all chains: each event must have the id after the last one's, over as many connections as it takes.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Deserialize;

use super::super::connection::{Connection, get_request};
use super::crowd::Tally;

/// How a listener behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Listens for as long as the server speaks.
    Steady,
    /// Goes away after some seconds and comes back with the last id.
    ComesAndGoes,
    /// Takes its time with every event, so that it falls behind, more and more.
    Slow,
}

/// How long one that comes and goes stays.
const STAY: Duration = Duration::from_secs(3);
/// What a slow one does with an event.
const SLOWNESS: Duration = Duration::from_millis(2);
/// How long a read waits before it is asked whether to stop.
const TURN: Duration = Duration::from_millis(200);
/// How often a server is asked that is not there, in turns: far longer than a restart takes.
const RESTART_TURNS: u32 = 100;

#[derive(Deserialize)]
struct Recent {
    traces: Vec<Numbered>,
}

#[derive(Deserialize)]
struct Numbered {
    id: u64,
}

/// Listens until told to stop.
pub(super) fn listen(address: &str, manner: Manner, stop: &AtomicBool) -> Tally {
    let (mut tally, mut last) = (Tally::default(), None);
    while !stop.load(Ordering::Relaxed) {
        // However a connection ends, the next one goes on where it was.
        if hear(address, manner, stop, &mut tally, &mut last).is_err() {
            std::thread::sleep(TURN);
        }
    }
    tally
}

/// Listens over one connection.
fn hear(address: &str, manner: Manner, stop: &AtomicBool, tally: &mut Tally, last: &mut Option<u64>) -> io::Result<()> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TURN))?;
    let resume = last.map_or(String::new(), |last| format!("last-event-id: {last}\r\n"));
    (&stream).write_all(format!("GET /stream HTTP/1.1\r\nhost: 127.0.0.1\r\n{resume}\r\n").as_bytes())?;
    tally.connections += 1;
    let since = Instant::now();
    let (mut body, mut line, mut buffer) = (Body::default(), Vec::new(), [0; 16 << 10]);
    while !stop.load(Ordering::Relaxed) && (manner != Manner::ComesAndGoes || since.elapsed() < STAY) {
        let bytes = match (&stream).read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => &buffer[..length],
            Err(err) if matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(err) => return Err(err),
        };
        for &byte in bytes {
            line.extend(body.take(byte)?);
            if line.last() != Some(&b'\n') {
                continue;
            }
            let text = std::str::from_utf8(&line).unwrap_or_default();
            if let Some(id) = text.strip_prefix("id: ").and_then(|id| id.trim().parse().ok()) {
                note(address, manner, id, tally, last);
            }
            line.clear();
        }
    }
    Ok(())
}

/// Looks at an event's id. It must follow the last one's.
fn note(address: &str, manner: Manner, id: u64, tally: &mut Tally, last: &mut Option<u64>) {
    tally.heard += 1;
    let is_next = last.is_none_or(|last| id == last + 1);
    if !is_next && !is_deletion(address, *last, id) {
        eprintln!("a listener ({manner:?}) heard {id} after {last:?}");
        tally.broken += 1;
    }
    *last = Some(id);
    if manner == Manner::Slow {
        std::thread::sleep(SLOWNESS);
    }
}

/// Takes an answer apart, byte by byte: the head is passed over, and so is what stands between the chunks of the body,
/// which may end anywhere.
#[derive(Debug, Default)]
struct Body {
    head_is_over: bool,
    /// The line of the head, or before a chunk, as far as it has come.
    line: Vec<u8>,
    /// Bytes of the chunk that are to come.
    left: usize,
}

impl Body {
    /// The byte, if it belongs to the body.
    fn take(&mut self, byte: u8) -> io::Result<Option<u8>> {
        if self.left > 0 {
            self.left -= 1;
            return Ok(Some(byte));
        }
        if byte != b'\n' {
            self.line.push(byte);
            return Ok(None);
        }
        let line = std::mem::take(&mut self.line);
        let line = line.trim_ascii_end();
        if !self.head_is_over {
            self.head_is_over = line.is_empty();
        } else if !line.is_empty() {
            let size = std::str::from_utf8(line).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
            // The chunk without bytes is the last.
            self.left = size.filter(|size| *size > 0).ok_or(ErrorKind::UnexpectedEof)?;
        }
        Ok(None)
    }
}

/// Whether what lies between two events was deleted before it could be sent: then nothing of it is there now. A slow
/// listener may still have bytes of a server that was killed; the next one knows, too.
fn is_deletion(address: &str, last: Option<u64>, id: u64) -> bool {
    let last = last.unwrap_or_default();
    let first_left = || -> Result<Option<u64>> {
        let mut body = Vec::new();
        let question = get_request(&format!("/recent?since_id={last}&limit=1"));
        Connection::open(address)?.ask_into(&question, &mut body)?;
        Ok(serde_json::from_slice::<Recent>(&body)?.traces.first().map(|entry| entry.id))
    };
    let asked_until_answered = || {
        (0..RESTART_TURNS).find_map(|turn| {
            if turn > 0 {
                std::thread::sleep(TURN);
            }
            first_left().ok()
        })
    };
    id > last && asked_until_answered().is_some_and(|first| first.is_none_or(|first| first >= id))
}

/// Listeners that never read. The server ends their connections after a while; then they come back.
pub(super) fn be_stuck(address: &str, count: usize, stop: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    let mut streams: Vec<Option<TcpStream>> = (0..count).map(|_| None).collect();
    while !stop.load(Ordering::Relaxed) {
        for stream in &mut streams {
            let is_over = stream.as_ref().is_some_and(|stream| !matches!(stream.take_error(), Ok(None)));
            if is_over {
                *stream = None;
                tally.cut_off += 1;
            }
            if stream.is_none() {
                *stream = stuck(address).ok();
                tally.connections += u64::from(stream.is_some());
            }
        }
        std::thread::sleep(TURN);
    }
    tally
}

fn stuck(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    (&stream).write_all(&get_request("/stream"))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_whole_wherever_its_chunks_end() {
        let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nid: 19\r\nA\r\n35\ndata: x\r\n1\r\n\n\r\n0\r\n\r\n";
        let mut body = Body::default();
        let taken: io::Result<Vec<Option<u8>>> = answer.iter().map(|byte| body.take(*byte)).collect();
        assert_eq!(taken.expect_err("the stream is over").kind(), ErrorKind::UnexpectedEof);
        let mut body = Body::default();
        let text: Vec<u8> = answer.iter().map_while(|byte| body.take(*byte).ok()).flatten().collect();
        assert_eq!(text, b"id: 1935\ndata: x\n");
    }
}
