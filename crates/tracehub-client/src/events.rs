//! Bytes of a stream become events, in whatever pieces they come: memory is bounded, and no byte is looked at twice for
//! nothing. No I/O.

use bytes::BytesMut;
use russe::{Decoder, Event, Message};
use serde::Deserialize;
use serde::de::Error as _;
use tokio_util::codec::Decoder as _;
use tracehub_core::TraceEntry;
use tracehub_core::wire::live::SHUTDOWN_EVENT;

/// The most bytes of one event. An entry at the model's limits, each character escaped, is below it.
pub const MAX_EVENT_BYTES: usize = 16 << 20;

/// What a stream brings.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every event is an entry, and callers take it apart at once")]
pub enum StreamEvent {
    /// One entry of the chain.
    Entry {
        /// The event's id, to resume after; the original server sends none.
        id: Option<i64>,
        /// The entry.
        entry: TraceEntry,
    },
    /// The last event: the stream has run its time.
    Timeout,
    /// The last event: the server stops.
    Shutdown,
}

/// Takes the bytes of one connection and gives its events.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    decoder: Decoder,
    buffer: BytesMut,
    /// The last byte that was pushed, if it ends a line.
    line_end: Option<u8>,
    last_id: Option<i64>,
}

impl EventReader {
    /// Adds bytes. Gives whether they can end an event: until they do, there is no use in asking for one, because each
    /// question searches everything that waits.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> bool {
        self.buffer.extend_from_slice(chunk);
        let mut before = self.line_end;
        let mut ends = false;
        for &byte in chunk {
            let is_end = matches!(byte, b'\n' | b'\r');
            // CR LF is one line end; every other pair of them has an empty line in between.
            ends |= is_end && before.is_some_and(|before| (before, byte) != (b'\r', b'\n'));
            before = is_end.then_some(byte);
        }
        self.line_end = before;
        ends
    }

    /// Whether what waits is more than one event may have. Ask when [`next`](Self::next) gives none.
    pub(crate) fn is_too_long(&self) -> bool {
        self.buffer.len() > MAX_EVENT_BYTES
    }

    /// The next event, or why what came is none; none if it needs more bytes. Each call that gives something has used up
    /// bytes.
    pub(crate) fn next(&mut self) -> Option<Result<StreamEvent, String>> {
        loop {
            match self.decoder.decode(&mut self.buffer) {
                Ok(Some(Event::Message(message))) => {
                    self.last_id = event_id(&message).or(self.last_id);
                    if let Some(event) = read_event(&message).transpose() {
                        return Some(event.map_err(|err| err.to_string()));
                    }
                }
                Ok(Some(Event::Comment(_) | Event::Retry(_))) => {}
                Ok(None) => return None,
                Err(err) => return Some(Err(err.to_string())),
            }
        }
    }

    /// The id of the last event that had one, whatever it was.
    pub(crate) fn last_id(&self) -> Option<i64> {
        self.last_id
    }
}

/// An event's id, if it is an entry's.
fn event_id(message: &Message) -> Option<i64> {
    message.id.as_ref()?.parse().ok().filter(|id| *id > 0)
}

/// What an event means; none if it is of a kind that this version does not know.
fn read_event(message: &Message) -> Result<Option<StreamEvent>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Ending {
        #[serde(rename = "type")]
        kind: String,
    }
    match message.event.as_deref() {
        None | Some("" | "message") if message.data.is_empty() => return Ok(None),
        None | Some("" | "message") => {}
        Some(SHUTDOWN_EVENT) => return Ok(Some(StreamEvent::Shutdown)),
        Some(_) => return Ok(None),
    }
    // What is derived takes an array for its fields in their order; a server writes objects.
    if !message.data.trim_ascii_start().starts_with('{') {
        return Err(serde_json::Error::custom("an event's data is no JSON object"));
    }
    match serde_json::from_str::<TraceEntry>(&message.data) {
        Ok(entry) => Ok(Some(StreamEvent::Entry { id: event_id(message), entry })),
        Err(err) => match serde_json::from_str::<Ending>(&message.data) {
            Ok(ending) if ending.kind == "timeout" => Ok(Some(StreamEvent::Timeout)),
            _ => Err(err),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(suffix: &str) -> String {
        format!(
            r#"{{"source_id":"MA","correlation_id":"c1","timestamp":1,"suffix":"{suffix}","direction":"->","operation":"","endpoint":"","data":null}}"#
        )
    }

    fn suffixes(reader: &mut EventReader) -> Vec<String> {
        let events = std::iter::from_fn(|| reader.next());
        let entries = events.map(|event| match event {
            Ok(StreamEvent::Entry { entry, .. }) => entry.suffix().to_owned(),
            other => format!("{other:?}"),
        });
        entries.collect()
    }

    #[test]
    fn only_an_empty_line_can_end_an_event_however_it_is_cut_and_written() {
        for line_end in ["\n", "\r", "\r\n"] {
            let text = format!("id: 7{line_end}data: {}{line_end}{line_end}", entry("a"));
            let mut reader = EventReader::default();
            let pushes: Vec<bool> = text.bytes().map(|byte| reader.push(&[byte])).collect();
            // Of two CR LF, the second CR is enough.
            let end = text.len() - usize::from(line_end.len() == 2);
            assert_eq!(pushes.iter().position(|ends| *ends), Some(end - 1), "{line_end:?}");
            assert_eq!((suffixes(&mut reader), reader.last_id()), (vec!["a".to_owned()], Some(7)));
        }
    }

    #[test]
    fn an_event_without_end_is_too_long_in_the_end_and_costs_no_search_before() {
        let mut reader = EventReader::default();
        let chunk = "data: x\n".repeat(1 << 13);
        let pushes = MAX_EVENT_BYTES / chunk.len();
        assert!((0..pushes).all(|_| !reader.push(chunk.as_bytes())));
        assert!(!reader.is_too_long());
        reader.push(b"d");
        assert!(reader.is_too_long());
    }

    #[test]
    fn what_is_no_entry_is_told_and_the_next_event_comes() {
        let mut reader = EventReader::default();
        reader.push(b"data: {}\n\ndata: [\"timeout\"]\n\n: hello\n\nevent: later\ndata: x\n\nid: \xff\n\ndata: ");
        reader.push(entry("a").as_bytes());
        for _ in 0..3 {
            assert!(reader.next().unwrap().is_err());
        }
        assert!(reader.next().is_none());
        assert!(reader.push(b"\r\r"));
        assert_eq!(suffixes(&mut reader), ["a"]);
    }
}
