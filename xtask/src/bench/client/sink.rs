//! Servers of a few lines, in this process: one that counts and acknowledges entries, one that never answers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context, Result};

use super::clock::thread_cpu;
use super::event::OPERATION;

/// Acknowledges every entry. Lives until the process ends.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) url: String,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Entries with the operation that this benchmark sends.
    ours: AtomicU64,
    /// Nanoseconds of CPU time of the threads that answer.
    cpu: AtomicU64,
}

impl Sink {
    pub(super) fn start() -> Result<Self> {
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        let url = serve(move |stream| {
            // A connection that breaks off is the client's to notice.
            let _ = answer_all(&stream, &counted);
        })?;
        Ok(Self { url, counts })
    }

    /// How many entries of the benchmark it has acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.counts.ours.load(Ordering::Acquire)
    }

    /// Nanoseconds of CPU time that it took.
    pub(super) fn cpu(&self) -> f64 {
        self.counts.cpu.load(Ordering::Acquire) as f64
    }
}

/// Starts a server that takes connections and nothing else; gives its URL.
pub(super) fn hang() -> Result<String> {
    serve(|stream| {
        let _stream = stream;
        loop {
            thread::park();
        }
    })
}

fn serve(connection: impl Fn(TcpStream) + Clone + Send + 'static) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on loopback")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = connection.clone();
            thread::spawn(move || connection(stream));
        }
    });
    Ok(url)
}

/// Answers the requests of one connection until it is closed.
fn answer_all(stream: &TcpStream, counts: &Counts) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut requests = BufReader::with_capacity(64 << 10, stream);
    let mut before = 0.0;
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        line.clear();
        if requests.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let ingest = line.starts_with("POST /ingest ");
        body.resize(content_length(&mut requests)?, 0);
        requests.read_exact(&mut body)?;
        let answer = if ingest { acknowledge(&body, counts)? } else { not_found() };
        // What the thread has taken so far is there before the client can know that it is done.
        let cpu = thread_cpu();
        counts.cpu.fetch_add(whole(cpu - before), Ordering::Release);
        before = cpu;
        let mut stream = stream;
        stream.write_all(answer.as_bytes())?;
    }
}

fn content_length(requests: &mut BufReader<&TcpStream>) -> Result<usize> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        requests.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse()?,
            Some(_) => {}
            None => return Ok(length),
        }
    }
}

fn acknowledge(body: &[u8], counts: &Counts) -> Result<String> {
    let body = std::str::from_utf8(body)?;
    let entries = body.matches("\"correlation_id\":").count();
    counts.ours.fetch_add(body.matches(&format!("\"{OPERATION}\"")).count() as u64, Ordering::Release);
    let answer = format!(r#"{{"accepted":{entries},"inserted":{entries},"duplicates":0}}"#);
    let length = answer.len();
    Ok(format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{answer}"))
}

fn not_found() -> String {
    "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a clock that only goes on")]
fn whole(nanoseconds: f64) -> u64 {
    nanoseconds as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_entries_and_those_of_the_benchmark() {
        let counts = Counts::default();
        let body = br#"{"traces":[{"correlation_id":"a","operation":"REST"},{"correlation_id":"b","operation":"DB"}]}"#;
        assert!(acknowledge(body, &counts).unwrap().ends_with(r#"{"accepted":2,"inserted":2,"duplicates":0}"#));
        assert_eq!(counts.ours.load(Ordering::Relaxed), 1);
    }
}
