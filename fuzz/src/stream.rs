//! The events of a server, hostile or not, in whatever pieces they come: the same bytes mean the same, and what they mean
//! is what the standard says.

use serde::Deserialize;
use tracehub_client::fuzzing::events;
use tracehub_client::{StreamEvent, TraceEntry};

/// The most bytes that are also pushed one at a time, which is slow.
const MAX_SINGLE_BYTES: usize = 2_000;

/// Checks any bytes as what a connection brings. The first byte says how they are cut.
///
/// # Panics
/// Something does not hold.
pub fn check(bytes: &[u8]) {
    let Some((&seed, stream)) = bytes.split_first() else { return };
    let whole = events([stream]);
    assert_eq!(events(pieces(stream, seed)), whole, "cut with {seed}");
    if stream.len() <= MAX_SINGLE_BYTES {
        assert_eq!(events(stream.chunks(1)), whole, "byte by byte");
    }
    // Whether a byte order mark at the beginning belongs to the stream, readers disagree; no server of ours writes one.
    if let Ok(text) = std::str::from_utf8(stream)
        && !text.starts_with('\u{feff}')
    {
        let (found, last_id) = whole;
        let found = found.into_iter().map(Result::ok).collect::<Vec<_>>();
        assert_eq!((found, last_id), expected(text));
    }
}

/// The bytes in pieces of different sizes, some of them empty.
#[must_use]
pub fn pieces(mut bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = usize::from(seed);
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        // A generator as simple as can be (Knuth, MMIX).
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (piece, rest) = bytes.split_at((state >> 33) % 24 % (bytes.len() + 1));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// What the text means by the standard's own steps, line by line; none for an event that is no entry.
fn expected(text: &str) -> (Vec<Option<StreamEvent>>, Option<i64>) {
    let (mut events, mut last_id) = (Vec::new(), None);
    let (mut kind, mut data, mut id) = (String::new(), None::<String>, None);
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = unified.split('\n').collect();
    // What follows the last line end is not a line yet.
    lines.pop();
    for line in lines {
        if line.is_empty() {
            last_id = id.or(last_id);
            events.extend(dispatched(&kind, data.as_deref().unwrap_or_default(), id));
            (kind, data, id) = (String::new(), None, None);
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut kind),
            "data" => data = Some(data.map_or_else(|| value.to_owned(), |before| format!("{before}\n{value}"))),
            "id" => id = value.parse::<i64>().ok().filter(|id| *id > 0),
            _ => {}
        }
    }
    (events, last_id)
}

#[derive(Deserialize)]
struct Ending {
    #[serde(rename = "type")]
    kind: String,
}

/// What an event means, if anything; none in it for one that is no entry.
fn dispatched(kind: &str, data: &str, id: Option<i64>) -> Vec<Option<StreamEvent>> {
    match kind {
        "shutdown" => return vec![Some(StreamEvent::Shutdown)],
        "" | "message" if !data.is_empty() => {}
        _ => return Vec::new(),
    }
    if !data.trim_ascii_start().starts_with('{') {
        return vec![None];
    }
    if let Ok(entry) = serde_json::from_str::<TraceEntry>(data) {
        return vec![Some(StreamEvent::Entry { id, entry })];
    }
    let is_timeout = serde_json::from_str::<Ending>(data).is_ok_and(|ending| ending.kind == "timeout");
    vec![is_timeout.then_some(StreamEvent::Timeout)]
}
