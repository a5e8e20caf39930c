//! Lines of JSON from a file or standard input, read ahead on a thread of its own in bounded memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tracehub_core::wire::ingest::MAX_BODY_BYTES;

use super::batch::{MAX_BYTES, MAX_ENTRIES};
use crate::failure::Failure;

/// The longest line: what one request can carry, less what is around it.
const MAX_LINE_BYTES: usize = MAX_BODY_BYTES - 64;
/// How many chunks are read ahead.
const CHUNKS_AHEAD: usize = 4;

/// A line that is not blank.
#[derive(Debug, PartialEq)]
pub(crate) struct Line {
    /// Counted from 1.
    pub(crate) number: u64,
    /// How many bytes of the input were read with it.
    pub(crate) end: u64,
    /// The JSON of one object; or why it is none.
    pub(crate) json: Result<String, String>,
    /// The object's timestamp, if it has one.
    pub(crate) timestamp: Option<f64>,
}

/// Lines on their way.
pub(super) type Chunks = mpsc::Receiver<io::Result<Vec<Line>>>;

/// Starts to read a file, or standard input if it is `-`. Gives its size too, if it has one.
pub(super) fn open(path: &Path) -> Result<(Chunks, Option<u64>), Failure> {
    let failure = |source| Failure::File { path: path.to_owned(), what: "read", source };
    let (input, size): (Box<dyn Read + Send>, _) = if path.as_os_str() == "-" {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(path).map_err(failure)?;
        let metadata = file.metadata().map_err(failure)?;
        if metadata.is_dir() {
            return Err(failure(io::ErrorKind::IsADirectory.into()));
        }
        (Box::new(file), metadata.is_file().then_some(metadata.len()))
    };
    let (chunks, receiver) = mpsc::channel(CHUNKS_AHEAD);
    std::thread::Builder::new()
        .name("tracehub-lines".to_owned())
        .spawn(move || Lines::new(input).read_all(&mut |chunk| chunks.blocking_send(chunk).is_ok()))
        .map_err(Failure::Runtime)?;
    Ok((receiver, size))
}

struct Lines<R> {
    input: BufReader<R>,
    number: u64,
    end: u64,
}

impl<R: Read> Lines<R> {
    fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(MAX_BYTES, input), number: 0, end: 0 }
    }

    /// Hands over chunks until the input ends, fails, or nobody takes them.
    fn read_all(mut self, take: &mut dyn FnMut(io::Result<Vec<Line>>) -> bool) {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        loop {
            match self.next_line() {
                Ok(Some(line)) => {
                    bytes += line.json.as_ref().map_or(0, String::len);
                    chunk.push(line);
                }
                Ok(None) => {
                    take(Ok(chunk));
                    return;
                }
                Err(err) => {
                    let _ = take(Ok(chunk)) && take(Err(err));
                    return;
                }
            }
            // Before a read that may wait, what is there is handed over: `tail -f` into this arrives at once.
            let would_wait = !self.input.buffer().contains(&b'\n');
            if would_wait || chunk.len() >= MAX_ENTRIES || bytes >= MAX_BYTES {
                bytes = 0;
                if !take(Ok(std::mem::take(&mut chunk))) {
                    return;
                }
            }
        }
    }

    /// The next line that is not blank.
    fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let Some(text) = self.next_bytes()? else { return Ok(None) };
            self.number += 1;
            let (json, timestamp) = match text {
                Ok(bytes) if bytes.trim_ascii().is_empty() => continue,
                Ok(bytes) => check(bytes),
                Err(TooLong) => (Err(format!("longer than {MAX_LINE_BYTES} bytes")), None),
            };
            return Ok(Some(Line { number: self.number, end: self.end, json, timestamp }));
        }
    }

    /// The bytes up to the next line break; none at the end.
    fn next_bytes(&mut self) -> io::Result<Option<Result<Vec<u8>, TooLong>>> {
        let mut line = Ok(Vec::new());
        let start = self.end;
        loop {
            let available = match self.input.fill_buf() {
                Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if available.is_empty() {
                return Ok((self.end > start).then_some(line));
            }
            let (part, used) = match available.iter().position(|byte| *byte == b'\n') {
                Some(place) => (&available[..place], place + 1),
                None => (available, available.len()),
            };
            let ended = part.len() < used;
            line = line.and_then(|mut bytes: Vec<u8>| {
                if bytes.len() + part.len() > MAX_LINE_BYTES {
                    return Err(TooLong);
                }
                bytes.extend_from_slice(part);
                Ok(bytes)
            });
            self.input.consume(used);
            self.end += used as u64;
            if ended {
                return Ok(Some(line));
            }
        }
    }
}

struct TooLong;

/// One JSON object, so that a line stays one entry in the request's list; what is in it is for the server to judge.
fn check(bytes: Vec<u8>) -> (Result<String, String>, Option<f64>) {
    #[derive(Deserialize)]
    #[serde(expecting = "an object")]
    struct Peek<'a> {
        #[serde(borrow)]
        timestamp: Option<&'a RawValue>,
    }
    let Ok(text) = String::from_utf8(bytes) else { return (Err("not UTF-8".to_owned()), None) };
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    match serde_json::from_str::<Peek<'_>>(&text) {
        Ok(Peek { timestamp }) if text.trim_start().starts_with('{') => {
            let timestamp = timestamp.and_then(|number| number.get().parse().ok());
            (Ok(text), timestamp)
        }
        Ok(_) => (Err("not a JSON object".to_owned()), None),
        Err(err) if err.is_eof() => (Err(format!("the JSON ends too early, at column {}", err.column())), None),
        Err(err) => (Err(format!("not a JSON object: {}", first_line_only(&err))), None),
    }
}

/// The error without its line number: it is always 1, and the line that matters is named beside it.
fn first_line_only(err: &serde_json::Error) -> String {
    err.to_string().replace(" at line 1 column ", " at column ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(input: impl Read) -> (Vec<Line>, usize) {
        let (mut lines, mut chunks) = (Vec::new(), 0);
        Lines::new(input).read_all(&mut |chunk| {
            chunks += 1;
            lines.extend(chunk.unwrap());
            true
        });
        (lines, chunks)
    }

    #[test]
    fn a_line_is_one_object_or_says_why_not() {
        let input = "\u{feff}{\"timestamp\":1.5}\r\n\n  \n{\"a\":{\"timestamp\":2}}\n[1]\n{},{}\n]}\n{\"a\n5\n{\"timestamp\":\"x\"}";
        let (lines, _) = read(input.as_bytes());
        let seen: Vec<_> = lines.iter().map(|line| (line.number, line.json.is_ok(), line.timestamp)).collect();
        let expected = [
            (1, true, Some(1.5)),
            (4, true, None),
            (5, false, None),
            (6, false, None),
            (7, false, None),
            (8, false, None),
            (9, false, None),
            (10, true, None),
        ];
        assert_eq!(seen, expected);
        assert_eq!(lines.last().unwrap().end, input.len() as u64);
        assert_eq!(lines[5].json, Err("the JSON ends too early, at column 3".to_owned()));
        let (lines, _) = read(&b"\xff{}\n"[..]);
        assert_eq!(lines[0].json, Err("not UTF-8".to_owned()));
    }

    #[test]
    fn a_line_too_long_is_refused_without_being_kept() {
        let long = io::repeat(b' ').take(MAX_LINE_BYTES as u64 + 1);
        let (lines, _) = read(long.chain(&b"\n{}\n"[..]));
        assert!(lines[0].json.as_ref().unwrap_err().starts_with("longer than"));
        assert_eq!((lines[1].number, lines[1].json.as_deref()), (2, Ok("{}")));
    }

    #[test]
    fn what_is_there_is_handed_over_before_more_is_waited_for() {
        // Two reads, as from a pipe that is written to twice.
        let (lines, chunks) = read(b"{}\n".chain(&b"{}\n"[..]));
        assert_eq!(lines.len(), 2);
        assert!(chunks >= 2, "{chunks}");
    }

    proptest! {
        #[test]
        fn every_line_that_is_not_blank_comes_once_with_its_number(text in "(\\{\\}|[a-z]| |\n|\r\n){0,60}") {
            let (lines, _) = read(text.as_bytes());
            let expected: Vec<u64> =
                (1_u64..).zip(text.split('\n')).filter(|(_, line)| !line.trim().is_empty()).map(|(n, _)| n).collect();
            prop_assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), expected);
        }
    }
}
