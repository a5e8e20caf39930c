//! What the writer does: groups, and what goes between them. One thread counts, any may read.

use std::time::Duration;

use tracehub_core::store::StoreSize;

use super::kinds::{Counter, Gauge, Histogram};

/// Entries and batches of a group; a group ends at 5,000 entries and the batch that reaches them.
const SIZES: [u64; 13] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];
/// Bounds in ns: a commit takes 0.1 ms without a sync, some milliseconds with one, a second where the disk is in trouble.
const DURATIONS: [u64; 14] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    5_000_000_000,
];

/// Stands for free bytes that nobody knows.
const UNKNOWN: u64 = u64::MAX;

/// What the writer has done since the start.
#[derive(Debug)]
pub(crate) struct Commits {
    pub(crate) entries: Histogram<{ SIZES.len() }>,
    pub(crate) batches: Histogram<{ SIZES.len() }>,
    pub(crate) duration: Histogram<{ DURATIONS.len() }>,
    pub(crate) failed: Counter,
    /// Entries deleted because they were older than the retention.
    pub(crate) expired: Counter,
    /// Entries deleted because there was too much of them.
    pub(crate) evicted: Counter,
    pub(crate) cleanups: Counter,
    pub(crate) given_back_bytes: Counter,
    pub(crate) store_bytes: Gauge,
    pub(crate) reusable_bytes: Gauge,
    free_disk_bytes: Gauge,
}

impl Default for Commits {
    fn default() -> Self {
        let commits = Self {
            entries: Histogram::new(&SIZES),
            batches: Histogram::new(&SIZES),
            duration: Histogram::new(&DURATIONS),
            failed: Counter::new(),
            expired: Counter::new(),
            evicted: Counter::new(),
            cleanups: Counter::new(),
            given_back_bytes: Counter::new(),
            store_bytes: Gauge::default(),
            reusable_bytes: Gauge::default(),
            free_disk_bytes: Gauge::default(),
        };
        commits.free_disk_bytes.set(UNKNOWN);
        commits
    }
}

impl Commits {
    /// Counts a transaction that was committed.
    pub(crate) fn count(&self, batches: usize, entries: usize, duration: Duration) {
        self.batches.observe(batches as u64);
        self.entries.observe(entries as u64);
        self.duration.observe(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Keeps what the store takes, as it was found a moment ago.
    pub(crate) fn keep(&self, size: StoreSize) {
        self.store_bytes.set(size.total_bytes);
        self.reusable_bytes.set(size.reusable_bytes);
        self.free_disk_bytes.set(size.free_disk_bytes.unwrap_or(UNKNOWN));
    }

    /// Bytes that are free on the store's disk, if that is known.
    pub(crate) fn free_disk_bytes(&self) -> Option<u64> {
        Some(self.free_disk_bytes.get()).filter(|free| *free != UNKNOWN)
    }
}
