//! Room in the queue: how much may wait, so that whoever is let in is answered soon and the memory has a limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tracehub_core::wire::stats::QueueStats;

/// The most entries that may wait, however fast they are stored.
const MAX_ROWS: usize = 200_000;
/// So many may wait however slowly they are stored: a batch of the largest size.
const MIN_ROWS: usize = 10_000;
/// The most bytes that waiting batches may hold.
pub(crate) const MAX_BYTES: usize = 64 << 20;
/// How long what waits may take at the pace of the writer. Whoever is let in shall have the answer within a second;
/// whoever is not learns it at once.
const MAX_WAIT: Duration = Duration::from_millis(250);
/// Entries in a group from which on its pace is that of the writer. Of smaller ones it is that of those who send.
const TELLING_ROWS: usize = 2_000;
/// The bytes of an entry in a body, as long as none has come.
const ROW_BYTES: usize = 256;

/// What waits, in all.
#[derive(Debug)]
pub(crate) struct Totals {
    rows: AtomicUsize,
    bytes: AtomicUsize,
    /// The entries that may wait at the writer's present pace.
    most_rows: AtomicUsize,
    /// The bytes of an entry in the bodies of late.
    row_bytes: AtomicUsize,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            rows: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            most_rows: AtomicUsize::new(MAX_ROWS),
            row_bytes: AtomicUsize::new(ROW_BYTES),
        }
    }
}

impl Totals {
    /// What waits, as the statistics say it.
    pub(crate) fn stats(&self) -> QueueStats {
        QueueStats {
            entries: self.rows.load(Ordering::Relaxed) as u64,
            bytes: self.bytes.load(Ordering::Relaxed) as u64,
        }
    }

    /// The entries that may wait at the writer's present pace.
    pub(crate) fn most_rows(&self) -> usize {
        self.most_rows.load(Ordering::Relaxed)
    }

    /// Whether so much waits that bodies are about to be refused.
    pub(crate) fn are_nearly_full(&self) -> bool {
        self.rows.load(Ordering::Relaxed) >= self.most_rows() / 10 * 9
            || self.bytes.load(Ordering::Relaxed) >= MAX_BYTES / 10 * 9
    }

    /// Whether there is room for a body of so many bytes at this moment.
    pub(super) fn has_room(&self, body_bytes: usize) -> bool {
        self.is_room_beside(self.rows.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed), body_bytes)
    }

    /// Whether a body may wait beside what waits. One always fits into an empty queue.
    fn is_room_beside(&self, rows: usize, bytes: usize, body_bytes: usize) -> bool {
        rows == 0 || (rows + self.rows_of(body_bytes) <= self.most_rows() && bytes + body_bytes <= MAX_BYTES)
    }

    /// How many entries a body of so many bytes has, going by those of late; never so many that even an emptier queue
    /// would refuse it, for it may be of few and large ones.
    fn rows_of(&self, body_bytes: usize) -> usize {
        (body_bytes / self.row_bytes.load(Ordering::Relaxed)).clamp(1, MIN_ROWS / 2)
    }

    /// Learns from a group how much may wait: on a slow disk less than on a fast one.
    pub(crate) fn keep_pace(&self, rows: usize, took: Duration) {
        if rows < TELLING_ROWS {
            return;
        }
        let fit = rows as u128 * MAX_WAIT.as_micros() / took.as_micros().max(1);
        let fit = usize::try_from(fit).unwrap_or(usize::MAX).min(MAX_ROWS);
        // One slow sync does not make a slow disk.
        let most = (self.most_rows() * 3 + fit) / 4;
        self.most_rows.store(most.max(MIN_ROWS), Ordering::Relaxed);
    }

    /// Learns from a batch how many entries there are in so many bytes.
    fn learn_row_bytes(&self, body_bytes: usize, rows: usize) {
        let before = self.row_bytes.load(Ordering::Relaxed);
        let after = (before * 7 + body_bytes / rows.max(1)) / 8;
        self.row_bytes.store(after.max(1), Ordering::Relaxed);
    }
}

/// A batch's share of the queue; given back when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    totals: Arc<Totals>,
    rows: usize,
    bytes: usize,
}

impl Room {
    /// What it is a share of.
    pub(crate) fn totals(&self) -> Arc<Totals> {
        Arc::clone(&self.totals)
    }

    /// Takes room for a body that is not parsed yet, unless that would be too much.
    pub(super) fn take(totals: &Arc<Totals>, body_bytes: usize) -> Option<Self> {
        let room = Self { totals: Arc::clone(totals), rows: totals.rows_of(body_bytes), bytes: body_bytes };
        let rows_before = totals.rows.fetch_add(room.rows, Ordering::Relaxed);
        let bytes_before = totals.bytes.fetch_add(body_bytes, Ordering::Relaxed);
        // Refused, `room` is dropped here and what was added goes again.
        totals.is_room_beside(rows_before, bytes_before, body_bytes).then_some(room)
    }

    /// Makes another batch's share a part of this one, so that many are given back at once.
    pub(crate) fn absorb(&mut self, mut other: Self) {
        self.rows += std::mem::take(&mut other.rows);
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// The room that the batch needs in truth, now that it is parsed. It may be more than there is: it is let in, and
    /// whoever comes next is not.
    pub(super) fn settle(&mut self, rows: usize, bytes: usize) {
        self.totals.learn_row_bytes(self.bytes, rows);
        self.totals.rows.fetch_add(rows, Ordering::Relaxed);
        self.totals.rows.fetch_sub(self.rows, Ordering::Relaxed);
        self.totals.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.totals.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        (self.rows, self.bytes) = (rows, bytes);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if (self.rows, self.bytes) != (0, 0) {
            self.totals.rows.fetch_sub(self.rows, Ordering::Relaxed);
            self.totals.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_refuses_and_takes_again_when_there_is_room() {
        let totals = Arc::default();
        let mut first = Room::take(&totals, 1).expect("an empty queue takes any batch");
        first.settle(MAX_ROWS + 5, 1);
        assert!(Room::take(&totals, 1).is_none());
        drop(first);
        let many = Room::take(&totals, MAX_BYTES).expect("room for the bytes");
        assert!(Room::take(&totals, 1).is_none());
        drop(many);
        assert!(Room::take(&totals, 1).is_some());
        assert_eq!(totals.stats(), QueueStats { entries: 0, bytes: 0 });
    }

    #[test]
    fn shares_are_given_back_together() {
        let totals = Arc::default();
        let [mut one, mut other] = [0; 2].map(|_| Room::take(&totals, 1).expect("room"));
        one.settle(3, 30);
        other.settle(4, 40);
        one.absorb(other);
        assert_eq!(totals.stats(), QueueStats { entries: 7, bytes: 70 });
        drop(one);
        assert_eq!(totals.stats(), QueueStats { entries: 0, bytes: 0 });
    }

    #[test]
    fn a_body_is_refused_by_the_entries_that_it_seems_to_have() {
        let totals = Arc::default();
        for _ in 0..50 {
            Room::take(&totals, 5_000).expect("an empty queue").settle(50, 9_000);
        }
        let mut most = Room::take(&totals, 100).expect("an empty queue");
        most.settle(MAX_ROWS - 40, 100);
        assert!(Room::take(&totals, 5_000).is_none(), "50 entries of a hundred bytes do not fit");
        assert!(Room::take(&totals, 3_000).is_some());
        most.settle(MAX_ROWS - MIN_ROWS, 100);
        assert!(Room::take(&totals, 8 << 20).is_some(), "it may be of large entries");
    }

    #[test]
    fn less_may_wait_for_a_slow_writer() {
        let totals = Totals::default();
        let after = |rows: usize, milliseconds: u64| {
            (0..30).for_each(|_| totals.keep_pace(rows, Duration::from_millis(milliseconds)));
            totals.most_rows()
        };
        assert_eq!(after(100, 60_000), MAX_ROWS, "one small group after the other says nothing");
        let slow = after(5_000, 100);
        assert!((12_500..13_500).contains(&slow), "{slow}");
        assert_eq!(after(5_000, 5_000), MIN_ROWS);
        assert!(after(5_000, 0) > MAX_ROWS - 100);
    }
}
