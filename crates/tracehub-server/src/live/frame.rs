//! Events as bytes: made once for each committed group, shared by all who listen.

use std::sync::Arc;

use actix_web::web::Bytes;
use tracehub_core::EntryRef;
use tracehub_core::store::{EntryId, Receipt};
use tracehub_core::wire::ingest::IngestBatch;
use tracehub_core::wire::live::{KEEPALIVE_COMMENT, SHUTDOWN_EVENT, TIMEOUT_MESSAGE};
use tracehub_core::wire::read::write_entry;

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
#[derive(Debug, Default)]
pub(crate) struct Frame {
    text: Bytes,
    /// Each entry's id, and where its event ends.
    events: Vec<(EntryId, usize)>,
    /// What was committed, where somebody may want to look at the entries themselves: they are `events` in order.
    group: Option<Arc<Committed>>,
    bytes: usize,
}

impl Frame {
    /// How much memory it keeps.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The last entry's id.
    pub(crate) fn last(&self) -> Option<EntryId> {
        self.events.last().map(|(id, _)| *id)
    }

    /// The events after `after`.
    pub(crate) fn after(&self, after: EntryId) -> Bytes {
        let sent = self.events.partition_point(|(id, _)| *id <= after);
        self.text.slice(self.start_of(sent)..)
    }

    /// The events after `after` whose entries are wanted.
    pub(crate) fn wanted(&self, after: EntryId, wanted: impl Fn(&EntryRef<'_>) -> bool) -> Bytes {
        let Some(group) = &self.group else { return self.after(after) };
        let mut text = Vec::new();
        for (place, (id, entry)) in group.new_entries().enumerate() {
            if id > after && wanted(&entry) {
                text.extend_from_slice(&self.text[self.start_of(place)..self.events[place].1]);
            }
        }
        text.into()
    }

    fn start_of(&self, place: usize) -> usize {
        place.checked_sub(1).map_or(0, |before| self.events[before].1)
    }
}

/// A frame in the making.
#[derive(Debug, Default)]
pub(crate) struct FrameBuilder {
    text: Vec<u8>,
    events: Vec<(EntryId, usize)>,
}

impl FrameBuilder {
    /// Adds the event of an entry: its id, and its JSON on one line.
    pub(crate) fn push(&mut self, id: EntryId, entry: &EntryRef<'_>) {
        self.text.extend_from_slice(format!("id: {id}\ndata: ").as_bytes());
        write_entry(&mut self.text, entry);
        self.text.extend_from_slice(b"\n\n");
        self.events.push((id, self.text.len()));
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// `group` is what was committed, if its entries are those that were added.
    pub(crate) fn finish(self, group: Option<Arc<Committed>>) -> Frame {
        let bodies: usize = group.iter().flat_map(|group| &group.batches).map(IngestBatch::bytes).sum();
        Frame { bytes: self.text.len() + bodies, text: self.text.into(), events: self.events, group }
    }
}

impl From<FrameBuilder> for Bytes {
    fn from(builder: FrameBuilder) -> Self {
        builder.text.into()
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
