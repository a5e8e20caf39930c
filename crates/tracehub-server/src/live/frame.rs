//! Events as bytes: made once for each committed group and subject, shared by all who listen.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::web::Bytes;
use tracehub_core::EntryRef;
use tracehub_core::store::{EntryId, Receipt};
use tracehub_core::wire::ingest::IngestBatch;
use tracehub_core::wire::live::{KEEPALIVE_COMMENT, SHUTDOWN_EVENT, TIMEOUT_MESSAGE};
use tracehub_core::wire::read::write_entry;

/// Bytes after which a piece ends. A listener who is stuck keeps its piece, so this is what it costs.
pub(crate) const PIECE_BYTES: usize = 16 << 10;

/// What a group has committed.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) batches: Vec<IngestBatch>,
    pub(crate) receipts: Vec<Receipt>,
}

impl Committed {
    /// The entries that were new, in order.
    pub(crate) fn new_entries(&self) -> impl Iterator<Item = (EntryId, EntryRef<'_>)> {
        let batches = self.batches.iter().zip(&self.receipts);
        batches
            .flat_map(|(batch, receipt)| batch.entries().zip(&receipt.ids))
            .filter_map(|(entry, id)| id.map(|id| (id, entry)))
    }
}

/// Entries as server-sent events, one after the other, in the order of their ids.
#[derive(Debug)]
pub(crate) struct Frame {
    pieces: Vec<Piece>,
    bytes: usize,
    kept_bytes: KeptBytes,
}

/// The bytes of all frames that somebody keeps.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeptBytes(Arc<AtomicUsize>);

impl KeptBytes {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.kept_bytes.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Frame {
    /// How much memory it keeps.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }
}

/// Some whole events of a frame, in memory of their own. Copies share it.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    text: Bytes,
    /// Each entry's id, and where its event ends.
    events: Arc<[(EntryId, usize)]>,
}

impl Piece {
    /// The last entry's id.
    pub(crate) fn last(&self) -> EntryId {
        self.events.last().map_or(EntryId::ZERO, |(id, _)| *id)
    }

    /// The events after `after`, and how many they are.
    pub(crate) fn after(&self, after: EntryId) -> (Bytes, u64) {
        let sent = self.events.partition_point(|(id, _)| *id <= after);
        let start = sent.checked_sub(1).map_or(0, |last| self.events[last].1);
        (self.text.slice(start..), (self.events.len() - sent) as u64)
    }
}

/// A frame in the making.
#[derive(Debug, Default)]
pub(crate) struct FrameBuilder {
    pieces: Vec<Piece>,
    text: Vec<u8>,
    events: Vec<(EntryId, usize)>,
    bytes: usize,
}

impl FrameBuilder {
    /// Adds the event of an entry.
    pub(crate) fn push(&mut self, id: EntryId, entry: &EntryRef<'_>) {
        let before = self.begin(id);
        write_entry(&mut self.text, entry);
        self.end(id, before);
    }

    /// Adds the event of an entry that was written as JSON on one line already.
    pub(crate) fn push_json(&mut self, id: EntryId, json: &[u8]) {
        let before = self.begin(id);
        self.text.extend_from_slice(json);
        self.end(id, before);
    }

    fn begin(&mut self, id: EntryId) -> usize {
        let before = self.text.len();
        self.text.extend_from_slice(b"id: ");
        self.text.extend_from_slice(id.to_string().as_bytes());
        self.text.extend_from_slice(b"\ndata: ");
        before
    }

    fn end(&mut self, id: EntryId, before: usize) {
        self.text.extend_from_slice(b"\n\n");
        self.bytes += self.text.len() - before;
        self.events.push((id, self.text.len()));
        if self.text.len() >= PIECE_BYTES {
            self.end_piece();
        }
    }

    fn end_piece(&mut self) {
        if !self.events.is_empty() {
            let text = std::mem::take(&mut self.text).into();
            self.pieces.push(Piece { text, events: std::mem::take(&mut self.events).into() });
        }
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts the frame's bytes for as long as somebody keeps it.
    pub(crate) fn finish(mut self, kept_bytes: &KeptBytes) -> Frame {
        self.end_piece();
        let places: usize = self.pieces.iter().map(|piece| size_of_val(&*piece.events)).sum();
        let bytes = self.bytes + places;
        kept_bytes.0.fetch_add(bytes, Ordering::Relaxed);
        Frame { pieces: self.pieces, bytes, kept_bytes: kept_bytes.clone() }
    }

    /// The events alone, some at a time, and how many they are.
    pub(crate) fn into_texts(mut self) -> (Vec<Bytes>, u64) {
        self.end_piece();
        let events = self.pieces.iter().map(|piece| piece.events.len() as u64).sum();
        (self.pieces.into_iter().map(|piece| piece.text).collect(), events)
    }
}

/// What keeps a silent stream open.
pub(crate) fn keepalive() -> Bytes {
    format!(": {KEEPALIVE_COMMENT}\n\n").into()
}

/// The last event of a stream that has run its time.
pub(crate) fn timeout() -> Bytes {
    format!("data: {TIMEOUT_MESSAGE}\n\n").into()
}

/// The last event of a stream that ends because the server stops.
pub(crate) fn shutdown() -> Bytes {
    format!("event: {SHUTDOWN_EVENT}\ndata: {TIMEOUT_MESSAGE}\n\n").into()
}
