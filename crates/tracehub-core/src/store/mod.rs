//! What a store promises. Handlers depend on this contract, never on the database behind it.
//!
//! A store has one writer and any number of readers. What the writer has returned is durable (as far as the store was
//! opened to be) and every reader sees it. Entries are never changed, only added and, when they are old, deleted.

mod error;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::error::{BoxError, StoreError};
use crate::entry::EntryRef;
use crate::query::{ChainPage, ChainQuery};
use crate::wire::ingest::IngestBatch;
use crate::wire::stats::StoredStats;

/// An entry's place in the order of commits: positive, growing, never given twice. The event id of live streams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct EntryId(pub i64);

impl EntryId {
    /// Before every entry.
    pub const ZERO: Self = Self(0);
}

impl From<i64> for EntryId {
    fn from(id: i64) -> Self {
        Self(id)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What became of one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// For each entry of the batch, in its order: the id it was stored under, or none if it was a duplicate.
    pub ids: Vec<Option<EntryId>>,
}

impl Receipt {
    /// How many entries were new.
    #[must_use]
    pub fn inserted(&self) -> u64 {
        self.ids.iter().filter(|id| id.is_some()).count() as u64
    }

    /// How many entries were stored already, or stood earlier in the batch.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.ids.len() as u64 - self.inserted()
    }
}

/// A step of deleting old entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// Entries deleted in this step.
    pub entries: u64,
    /// Whether entries that should go are left.
    pub more: bool,
}

/// How much room a store takes, and has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreSize {
    /// Bytes that the store takes on disk.
    pub total_bytes: u64,
    /// Of these, bytes that hold nothing: deleted entries left them, new ones will take them.
    pub reusable_bytes: u64,
    /// Entries that are stored.
    pub entries: u64,
    /// Bytes that may still be written where the store is; none if that is not known.
    pub free_disk_bytes: Option<u64>,
}

impl StoreSize {
    /// Bytes that hold something.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.total_bytes.saturating_sub(self.reusable_bytes)
    }
}

/// Which entries of a chain to give.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChainFilter<'a> {
    /// Only those of this source.
    pub source_id: Option<&'a str>,
    /// Only those with a timestamp after this, Unix ms.
    pub since_timestamp: Option<f64>,
}

/// The side that writes. There is one; it is used by one thread.
pub trait StoreWriter: Send {
    /// Stores batches in one transaction, in order: after `Ok` all of it is stored, after `Err` nothing.
    ///
    /// An entry is a duplicate if one with the same correlation id, timestamp, suffix, source and direction is stored or
    /// stood earlier in `batches`. `now` is the arrival time, in Unix seconds. The receipts are in the order of
    /// `batches`.
    ///
    /// # Errors
    /// The store could not take them; they may be given again.
    fn ingest(&mut self, batches: &[IngestBatch], now: i64) -> Result<Vec<Receipt>, StoreError>;

    /// Moves the times of arrival with the clock by which they were told: by so many seconds, and none beyond `now` (Unix
    /// seconds), because one in the future would keep what came after it for as long.
    ///
    /// # Errors
    /// The store could not; they are as they were.
    fn adjust_arrivals(&mut self, seconds: i64, now: i64) -> Result<(), StoreError>;

    /// Deletes entries that arrived before `cutoff` (Unix seconds), the oldest first, at most `limit` of them.
    ///
    /// # Errors
    /// The store could not; nothing was deleted in this step.
    fn delete_arrived_before(&mut self, cutoff: i64, limit: u32) -> Result<Deleted, StoreError>;

    /// Deletes the oldest entries, whenever they arrived, at most `limit` of them.
    ///
    /// # Errors
    /// The store could not; nothing was deleted in this step.
    fn delete_oldest(&mut self, limit: u32) -> Result<Deleted, StoreError>;

    /// Gives about so many bytes that hold nothing back to the disk; gives how many it were.
    ///
    /// # Errors
    /// The store could not; it is as it was.
    fn give_back(&mut self, bytes: u64) -> Result<u64, StoreError>;

    /// Brings what was committed to where it belongs if it has piled up on the way, which happens when somebody reads at
    /// every moment. Waits for readers then: some 50 ms, and up to a second when far too much has piled up. Those that stay
    /// longer are met again by the next call.
    ///
    /// # Errors
    /// The store could not; it is as it was.
    fn settle(&mut self) -> Result<(), StoreError>;

    /// How much room the store takes, and has. Cheap enough to ask at every commit.
    ///
    /// # Errors
    /// It could not be found out, or the store is gone ([`StoreError::Gone`]).
    fn size(&self) -> Result<StoreSize, StoreError>;

    /// Writes what changes nothing and syncs it: whether the store takes entries, found out without any.
    ///
    /// # Errors
    /// It does not; the error says why.
    fn probe(&mut self) -> Result<(), StoreError>;

    /// Puts the store in order before it is closed, so that the next start is quick. Nothing is lost without it.
    ///
    /// # Errors
    /// The store could not; the next start does it.
    fn finish(&mut self) -> Result<(), StoreError>;
}

/// The side that reads, from any thread. Calls block, but none for longer than the store was opened to allow: it fails
/// with [`StoreError::TooSlow`] then.
pub trait StoreReader: Send + Sync {
    /// The ids of a chain's entries after `after`, in order of commit.
    ///
    /// # Errors
    /// The store could not be read.
    fn chain_entry_ids(&self, correlation_id: &str, after: EntryId) -> Result<Vec<EntryId>, StoreError>;

    /// The ids of a chain's entries with a timestamp after `since` (Unix ms), ordered by timestamp, ties by arrival.
    ///
    /// # Errors
    /// The store could not be read.
    fn chain_entry_ids_by_time(&self, correlation_id: &str, since: Option<f64>) -> Result<Vec<EntryId>, StoreError>;

    /// Gives the entries of a chain with these ids to `visit`, in their order; those deleted meanwhile are passed over.
    ///
    /// # Errors
    /// The store could not be read; `visit` may have seen a part.
    fn entries(
        &self,
        correlation_id: &str,
        ids: &[EntryId],
        visit: &mut dyn FnMut(EntryId, &EntryRef<'_>),
    ) -> Result<(), StoreError>;

    /// Gives the entries of all chains after `after` to `visit`, in order of commit, until there are no more, `limit` of
    /// them were given, or `visit` says no. Gives the last id that `visit` saw.
    ///
    /// # Errors
    /// The store could not be read; `visit` may have seen a part.
    fn entries_after(
        &self,
        after: EntryId,
        limit: u32,
        visit: &mut dyn FnMut(EntryId, &EntryRef<'_>) -> bool,
    ) -> Result<Option<EntryId>, StoreError>;

    /// The newest entry's id; [`EntryId::ZERO`] of an empty store.
    ///
    /// # Errors
    /// The store could not be read.
    fn newest_entry_id(&self) -> Result<EntryId, StoreError>;

    /// The last entry before those that arrived at a time (Unix seconds) or later: [`entries_after`](Self::entries_after)
    /// it, there are no older ones.
    ///
    /// # Errors
    /// The store could not be read.
    fn entry_id_before(&self, arrived_at: i64) -> Result<EntryId, StoreError>;

    /// Gives the entries of a chain to `visit`, ordered by timestamp, ties by arrival. An unknown chain has none.
    ///
    /// # Errors
    /// The store could not be read; `visit` may have seen a part.
    fn chain(
        &self,
        correlation_id: &str,
        filter: ChainFilter<'_>,
        visit: &mut dyn FnMut(&EntryRef<'_>),
    ) -> Result<(), StoreError> {
        let ids = self.chain_entry_ids_by_time(correlation_id, filter.since_timestamp)?;
        self.entries(correlation_id, &ids, &mut |_, entry| {
            if filter.source_id.is_none_or(|source_id| source_id == entry.source_id) {
                visit(entry);
            }
        })
    }

    /// How much is stored, and what it takes. Costs the same however much that is.
    ///
    /// # Errors
    /// The store could not be read.
    fn totals(&self) -> Result<StoredStats, StoreError>;

    /// A list of chains, the most recently active first.
    ///
    /// # Errors
    /// The store could not be read.
    fn correlations(&self, query: &ChainQuery) -> Result<ChainPage, StoreError>;
}
