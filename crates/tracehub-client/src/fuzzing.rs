//! What the targets in `fuzz/` reach of this crate: the parsers of bytes that come from elsewhere. Built with the feature
//! `fuzzing` alone, and no part of the API.

use crate::batch::Batch;
use crate::events::{EventReader, StreamEvent};
use crate::spool::segment;

/// What a connection brings in these pieces: its events and complaints, and the last id. A connection that brings an
/// event that is too long ends there.
#[must_use]
pub fn events<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Result<StreamEvent, String>>, Option<i64>) {
    let mut reader = EventReader::default();
    let mut events = Vec::new();
    for chunk in chunks {
        if reader.push(chunk) {
            events.extend(std::iter::from_fn(|| reader.next()));
        }
        if reader.is_too_long() {
            break;
        }
    }
    (events, reader.last_id())
}

/// The entries of a segment of the spool, or what is wrong with it.
///
/// # Errors
/// Why the bytes are no segment.
///
/// # Panics
/// Entries were taken from a segment that is damaged.
pub fn segment_entries(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut batch = Batch::default();
    let decoded = segment::decode(bytes, &mut batch).map_err(|damage| damage.to_string());
    // Of a damaged segment, nothing may be taken.
    assert!(decoded.is_ok() || batch.is_empty(), "{decoded:?} and {} entries", batch.len());
    decoded.map(|()| batch.entries().map(<[u8]>::to_vec).collect())
}

/// A segment of these entries.
#[must_use]
pub fn segment_of(entries: &[Vec<u8>]) -> Vec<u8> {
    segment::encode(&batch_of(entries))
}

/// The request body of these entries.
#[must_use]
pub fn body_of(entries: &[Vec<u8>]) -> Vec<u8> {
    batch_of(entries).body(0..entries.len()).to_vec()
}

fn batch_of(entries: &[Vec<u8>]) -> Batch {
    let mut batch = Batch::default();
    for entry in entries {
        batch.push(0, |json| json.extend_from_slice(entry));
    }
    batch
}
