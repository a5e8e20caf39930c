//! The requests: each a batch that is a chain of its own, sent one after the other on each of a few connections.

use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value, json};

/// Connections at a time, so that groups of more than one batch come about.
const CONNECTIONS: u32 = 4;
/// What the id of each chain begins with; a number of six digits follows.
const CHAIN: &str = "cut-";

/// What was sent on a connection.
#[derive(Debug)]
pub(super) struct Sent {
    /// The client's own port.
    pub(super) port: u16,
    /// The batches, in order.
    pub(super) batches: Vec<u32>,
}

/// The chain that a batch is.
pub(super) fn chain(batch: u32) -> String {
    format!("{CHAIN}{batch:06}")
}

/// How many entries a batch has.
pub(super) fn entries(batch: u32) -> u32 {
    1 + batch * 7 % 20
}

/// The batches whose chains a page of the database names.
pub(super) fn named(page: &[u8]) -> impl Iterator<Item = u32> {
    let length = CHAIN.len() + 6;
    page.windows(length).filter(|text| text.starts_with(CHAIN.as_bytes())).filter_map(|text| {
        let digits = std::str::from_utf8(&text[CHAIN.len()..]).ok()?;
        digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
    })
}

/// Sends these batches; gives what was sent on which connection. Each is answered, or it is an error.
pub(super) fn send(address: &str, batches: Range<u32>) -> Result<Vec<Sent>> {
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|connection| {
            let batches: Vec<u32> = batches.clone().filter(|batch| batch % CONNECTIONS == connection).collect();
            let address = address.to_owned();
            thread::spawn(move || send_on_one(&address, batches))
        })
        .collect();
    senders.into_iter().map(|sender| sender.join().map_err(|_| anyhow!("a sender panicked"))?).collect()
}

fn send_on_one(address: &str, batches: Vec<u32>) -> Result<Sent> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    let mut answers = BufReader::new(stream.try_clone()?);
    for &batch in &batches {
        let body = body(batch);
        let length = body.len();
        write!(
            stream,
            "POST /ingest HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        )?;
        let answer: Value = serde_json::from_slice(&read_answer(&mut answers)?).context("an answer is not JSON")?;
        ensure!(answer["inserted"] == entries(batch), "batch {batch} was answered with {answer}");
    }
    Ok(Sent { port: stream.local_addr()?.port(), batches })
}

/// The body of the next answer.
fn read_answer(answers: &mut impl std::io::BufRead) -> Result<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        ensure!(answers.read_line(&mut line)? > 0, "the server has closed the connection");
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse()?,
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    answers.read_exact(&mut body)?;
    Ok(body)
}

fn body(batch: u32) -> String {
    let chain = chain(batch);
    let entries: Vec<Value> = (0..entries(batch))
        .map(|number| {
            json!({
                "source_id": "shop", "correlation_id": chain, "timestamp": 1_000 * number, "suffix": "s",
                "direction": if number % 2 == 0 { "->" } else { "<-" }, "operation": "REST", "endpoint": "/orders",
                "data": { "order": number, "customer": "somebody" },
            })
        })
        .collect();
    json!({ "traces": entries }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_its_chains() {
        let page = [&[0, 1][..], chain(7).as_bytes(), b"cut-12", chain(123_456).as_bytes(), b"cut-"].concat();
        assert_eq!(named(&page).collect::<Vec<_>>(), [7, 123_456]);
    }

    #[test]
    fn an_answer_ends_where_it_says() {
        let mut answers = &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\na: b\r\n\r\n{}HTTP/1.1 200 OK\r\n\r\n"[..];
        assert_eq!(read_answer(&mut answers).expect("one answer"), b"{}");
        assert_eq!(read_answer(&mut answers).expect("another"), b"");
        assert!(read_answer(&mut answers).is_err());
    }
}
