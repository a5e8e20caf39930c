//! One keep-alive connection to a server: whole requests out, answers in, one after the other.

use std::io::{BufRead as _, BufReader, Read as _, Write, sink};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tracehub_core::wire::stats::StatsAnswer;

/// How long an answer may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
}

impl Connection {
    pub(super) fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { answers: BufReader::new(stream.try_clone()?), stream })
    }

    /// Sends a request and reads its answer, which must be a 200. Gives the time in ms.
    pub(super) fn ask(&mut self, request: &[u8]) -> Result<f64> {
        self.ask_into(request, &mut sink())
    }

    /// The same, with the answer's body.
    pub(super) fn ask_into(&mut self, request: &[u8], body: &mut impl Write) -> Result<f64> {
        let start = Instant::now();
        self.stream.write_all(request)?;
        let status = self.read_answer(body)?;
        ensure!(status == 200, "the server answered {status}");
        Ok(start.elapsed().as_secs_f64() * 1000.0)
    }

    /// Sends a request and reads its answer; gives the status.
    pub(super) fn status_of(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request)?;
        self.read_answer(&mut sink())
    }

    /// Reads an answer; gives its status.
    fn read_answer(&mut self, body: &mut impl Write) -> Result<u16> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|text| text.parse().ok());
        let status = status.with_context(|| format!("the server answered {line:?}"))?;
        let mut length = None;
        loop {
            line.clear();
            self.answers.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = Some(value.parse()?),
                Some(_) => {}
                None => break,
            }
        }
        match length {
            Some(length) => self.copy(length, body)?,
            None => self.copy_chunks(body)?,
        }
        Ok(status)
    }

    fn copy_chunks(&mut self, body: &mut impl Write) -> Result<()> {
        let mut line = String::new();
        loop {
            line.clear();
            self.answers.read_line(&mut line)?;
            let size = u64::from_str_radix(line.trim(), 16).with_context(|| format!("no chunk size: {line:?}"))?;
            self.copy(size, body)?;
            // A line end follows each chunk, the last and empty one too.
            self.copy(2, &mut sink())?;
            if size == 0 {
                return Ok(());
            }
        }
    }

    fn copy(&mut self, bytes: u64, to: &mut impl Write) -> Result<()> {
        let copied = std::io::copy(&mut (&mut self.answers).take(bytes), to)?;
        ensure!(copied == bytes, "the connection closed in the middle of an answer");
        Ok(())
    }
}

/// A request to `POST /ingest`, head and body.
pub(super) fn ingest_request(body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /ingest HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A request that reads.
pub(super) fn get_request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").into_bytes()
}

/// What a server says of itself.
pub(super) fn stats(address: &str) -> Result<StatsAnswer> {
    let mut body = Vec::new();
    Connection::open(address)?.ask_into(&get_request("/stats"), &mut body)?;
    serde_json::from_slice(&body).context("the statistics are not understood")
}
