//! A chain as a body: at once if it is small, part by part if it is not, so that memory stays small whatever its size.

use std::pin::Pin;
use std::vec;

use actix_web::web::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use tracehub_core::store::{EntryId, StoreError, StoreReader};
use tracehub_core::wire::read::ChainWriter;

use crate::error::ApiError;
use crate::reader::Reader;

/// Entries of a part. A chain of no more is written at once, with its length.
const ENTRIES_PER_PART: usize = 1_000;
/// Bytes after which a part ends early: entries may be of a megabyte each.
const BYTES_PER_PART: usize = 1 << 20;

/// Entries read at once.
const ENTRIES_PER_READ: usize = 250;

/// What is to be sent.
pub(crate) enum ChainBody {
    Whole(Vec<u8>),
    Parts(Pin<Box<dyn Stream<Item = Result<Bytes, ApiError>>>>),
}

/// Reads a chain: only entries of `source`, only those after `since` (Unix ms).
pub(crate) async fn read(
    reader: Reader,
    correlation_id: String,
    source: Option<String>,
    since: Option<f64>,
) -> Result<ChainBody, ApiError> {
    let (cursor, first, done) = reader
        .query(move |store| {
            let ids = store.chain_entry_ids_by_time(&correlation_id, since)?;
            let writer = ChainWriter::new(&correlation_id);
            let mut cursor = Cursor { correlation_id, source, ids: ids.into_iter(), writer };
            let (first, done) = cursor.next_part(store)?;
            Ok((cursor, first, done))
        })
        .await?;
    if done {
        return Ok(ChainBody::Whole(first));
    }
    let state = Some((cursor, Some(first)));
    Ok(ChainBody::Parts(Box::pin(unfold(state, move |state| {
        let reader = reader.clone();
        async move {
            let (mut cursor, first) = state?;
            if let Some(first) = first {
                return Some((Ok(first.into()), Some((cursor, None))));
            }
            let part = reader.query(move |store| {
                let (part, done) = cursor.next_part(store)?;
                Ok((part, (!done).then_some((cursor, None))))
            });
            Some(match part.await {
                Ok((part, next)) => (Ok(part.into()), next),
                // The status is sent already: all that is left is to break off, which every client notices.
                Err(err) => (Err(err), None),
            })
        }
    }))))
}

/// How far a chain is written.
struct Cursor {
    correlation_id: String,
    source: Option<String>,
    ids: vec::IntoIter<EntryId>,
    writer: ChainWriter,
}

impl Cursor {
    /// The next part, and whether it is the last.
    fn next_part(&mut self, store: &dyn StoreReader) -> Result<(Vec<u8>, bool), StoreError> {
        let mut part = Vec::new();
        let mut entries = 0;
        while entries < ENTRIES_PER_PART && part.len() < BYTES_PER_PART {
            // Few at a time, so that a part of huge entries ends when it has enough of them.
            let ids: Vec<EntryId> = self.ids.by_ref().take(ENTRIES_PER_READ).collect();
            if ids.is_empty() {
                break;
            }
            entries += ids.len();
            let (source, writer) = (self.source.as_deref(), &mut self.writer);
            store.entries(&self.correlation_id, &ids, &mut |_, entry| {
                if source.is_none_or(|source| source == entry.source_id) {
                    writer.push(entry);
                }
            })?;
            append(&mut part, self.writer.take());
        }
        let done = self.ids.as_slice().is_empty();
        if done {
            append(&mut part, self.writer.finish());
        }
        Ok((part, done))
    }
}

fn append(part: &mut Vec<u8>, mut more: Vec<u8>) {
    if part.is_empty() {
        *part = more;
    } else {
        part.append(&mut more);
    }
}
