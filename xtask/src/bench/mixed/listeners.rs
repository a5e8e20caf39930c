//! Those who listen to all chains: each event must have the id after the last one's, over as many connections as it takes.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
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

#[derive(Deserialize)]
struct Recent {
    traces: Vec<Numbered>,
}

#[derive(Deserialize)]
struct Numbered {
    id: u64,
}

/// Listens until told to stop.
pub(super) fn listen(address: &str, manner: Manner, stop: &AtomicBool) -> Result<Tally> {
    let (mut tally, mut last) = (Tally::default(), None);
    while !stop.load(Ordering::Relaxed) {
        // However a connection ends, the next one goes on where it was.
        if hear(address, manner, stop, &mut tally, &mut last).is_err() {
            std::thread::sleep(TURN);
        }
    }
    Ok(tally)
}

/// Listens over one connection.
fn hear(address: &str, manner: Manner, stop: &AtomicBool, tally: &mut Tally, last: &mut Option<u64>) -> io::Result<()> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TURN))?;
    let resume = last.map_or(String::new(), |last| format!("last-event-id: {last}\r\n"));
    (&stream).write_all(format!("GET /stream HTTP/1.1\r\nhost: 127.0.0.1\r\n{resume}\r\n").as_bytes())?;
    tally.connections += 1;
    let since = Instant::now();
    let mut lines = BufReader::new(&stream);
    let mut line = Vec::new();
    while !stop.load(Ordering::Relaxed) && (manner != Manner::ComesAndGoes || since.elapsed() < STAY) {
        match lines.read_until(b'\n', &mut line) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) if line.ends_with(b"\n") => {}
            // What has come of a line stays in it.
            Ok(_) => continue,
            Err(err) if matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(err) => return Err(err),
        }
        let id = std::str::from_utf8(&line).ok().and_then(|line| line.strip_prefix("id: ")?.trim().parse::<u64>().ok());
        line.clear();
        if let Some(id) = id {
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
    }
    Ok(())
}

/// Whether what lies between two events was deleted before it could be sent: then nothing of it is there now.
fn is_deletion(address: &str, last: Option<u64>, id: u64) -> bool {
    let last = last.unwrap_or_default();
    let first_left = || -> Result<Option<u64>> {
        let mut body = Vec::new();
        let question = get_request(&format!("/recent?since_id={last}&limit=1"));
        Connection::open(address)?.ask_into(&question, &mut body)?;
        Ok(serde_json::from_slice::<Recent>(&body)?.traces.first().map(|entry| entry.id))
    };
    id > last && first_left().is_ok_and(|first| first.is_none_or(|first| first >= id))
}

/// Listeners that never read. The server ends their connections after a while; then they come back.
pub(super) fn be_stuck(address: &str, count: usize, stop: &AtomicBool) -> Result<Tally> {
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
    Ok(tally)
}

fn stuck(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    (&stream).write_all(&get_request("/stream"))?;
    Ok(stream)
}
