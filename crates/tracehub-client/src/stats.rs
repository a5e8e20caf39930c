//! What became of the entries: counters that the senders and the worker keep, and the figures that users see.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::delivery::Owner;
use crate::error::Refused;

/// What became of the entries so far. `accepted` is always `delivered + spooled + dropped.total() + pending`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Entries that [`send`](crate::TraceHubClient::send) took.
    pub accepted: u64,
    /// Entries that the server has acknowledged.
    pub delivered: u64,
    /// Entries that were taken and given up, by reason.
    pub dropped: Dropped,
    /// Entries that wait on disk; always 0 without a spool.
    pub spooled: u64,
    /// Entries that wait in memory or are on their way from there; after a close, those that its deadline cut off.
    pub pending: u64,
    /// Entries that were not taken, by reason. They are not among the accepted.
    pub refused: RefusedCounts,
    /// Entries that earlier processes left in the spool. They are not among the accepted.
    pub recovered: Recovered,
}

/// Entries that earlier processes left in the spool, and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// Entries that were found.
    pub found: u64,
    /// Those that the server has acknowledged.
    pub delivered: u64,
    /// Those that were given up.
    pub dropped: u64,
    /// Files of the spool, whoever wrote them, that were damaged. They are set aside with the ending `.corrupt`.
    pub corrupt_segments: u64,
}

/// Entries that were taken and given up, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// The server found the entry itself invalid or too large.
    pub rejected: u64,
    /// The server asks for a secret, or for another one.
    pub unauthorized: u64,
    /// The server could not be reached or was overloaded, and every retry was used up.
    pub undelivered: u64,
    /// The server answered what no TraceHub server answers, such as 404 or a web page.
    pub unexpected: u64,
    /// The spool was full, and these were the oldest.
    pub evicted: u64,
    /// What the spool gave back was not what was put in.
    pub damaged: u64,
}

impl Dropped {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.rejected + self.unauthorized + self.undelivered + self.unexpected + self.evicted + self.damaged
    }
}

/// Entries that were not taken, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedCounts {
    /// [`Refused::QueueFull`]
    pub queue_full: u64,
    /// [`Refused::OutOfBytes`]
    pub out_of_bytes: u64,
    /// [`Refused::Closed`]
    pub closed: u64,
    /// [`Refused::Forked`], in the process that was forked.
    pub forked: u64,
    /// Checkpoints whose names break a limit of the model, so that they never became an entry.
    pub invalid: u64,
}

impl RefusedCounts {
    /// Why, as a sentence.
    pub(crate) fn reasons(&self) -> String {
        let reasons = [
            (self.queue_full, Refused::QueueFull.to_string()),
            (self.out_of_bytes, Refused::OutOfBytes.to_string()),
            (self.closed, Refused::Closed.to_string()),
            (self.forked, Refused::Forked.to_string()),
            (self.invalid, "a name of the checkpoint breaks a limit".to_owned()),
        ];
        let met = reasons.into_iter().filter(|(count, _)| *count > 0);
        met.map(|(_, reason)| reason).collect::<Vec<_>>().join("; ")
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.queue_full + self.out_of_bytes + self.closed + self.forked + self.invalid
    }
}

/// Why an accepted entry was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DropReason {
    Rejected,
    Unauthorized,
    Undelivered,
    Unexpected,
    Evicted,
    Damaged,
}

/// The counters behind [`Stats`], one atomic each.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    delivered: AtomicU64,
    rejected: AtomicU64,
    unauthorized: AtomicU64,
    undelivered: AtomicU64,
    unexpected: AtomicU64,
    evicted: AtomicU64,
    damaged: AtomicU64,
    spooled: AtomicU64,
    recovered_found: AtomicU64,
    recovered_delivered: AtomicU64,
    recovered_dropped: AtomicU64,
    corrupt_segments: AtomicU64,
    queue_full: AtomicU64,
    out_of_bytes: AtomicU64,
    closed: AtomicU64,
    forked: AtomicU64,
    invalid: AtomicU64,
}

impl Counters {
    pub(crate) fn delivered(&self, owner: Owner, entries: u64) {
        match owner {
            Owner::Queue => &self.delivered,
            Owner::Spool => {
                self.unspooled(entries);
                &self.delivered
            }
            Owner::Earlier => &self.recovered_delivered,
        }
        .fetch_add(entries, Ordering::Release);
    }

    pub(crate) fn dropped(&self, owner: Owner, reason: DropReason, entries: u64) {
        if owner == Owner::Earlier {
            self.recovered_dropped.fetch_add(entries, Ordering::Release);
            return;
        }
        let counter = match reason {
            DropReason::Rejected => &self.rejected,
            DropReason::Unauthorized => &self.unauthorized,
            DropReason::Undelivered => &self.undelivered,
            DropReason::Unexpected => &self.unexpected,
            DropReason::Evicted => &self.evicted,
            DropReason::Damaged => &self.damaged,
        };
        if owner == Owner::Spool {
            self.unspooled(entries);
        }
        counter.fetch_add(entries, Ordering::Release);
    }

    /// Entries are on disk now.
    pub(crate) fn spooled(&self, entries: u64) {
        self.spooled.fetch_add(entries, Ordering::Release);
    }

    /// Entries are no longer on disk. Said before they are counted elsewhere: the snapshot reads that first, so it may miss
    /// entries on their way from one count to the other, which are pending then, and never has them twice.
    fn unspooled(&self, entries: u64) {
        self.spooled.fetch_sub(entries, Ordering::Release);
    }

    /// Entries of earlier processes were found.
    pub(crate) fn recovered(&self, entries: u64) {
        self.recovered_found.fetch_add(entries, Ordering::Release);
    }

    pub(crate) fn corrupt_segment(&self) {
        self.corrupt_segments.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn refused(&self, reason: Refused) {
        let counter = match reason {
            Refused::QueueFull => &self.queue_full,
            Refused::OutOfBytes => &self.out_of_bytes,
            Refused::Closed => &self.closed,
            Refused::Forked => &self.forked,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn invalid(&self) {
        self.invalid.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused_counts(&self) -> RefusedCounts {
        RefusedCounts {
            queue_full: self.queue_full.load(Ordering::Relaxed),
            out_of_bytes: self.out_of_bytes.load(Ordering::Relaxed),
            closed: self.closed.load(Ordering::Relaxed),
            forked: self.forked.load(Ordering::Relaxed),
            invalid: self.invalid.load(Ordering::Relaxed),
        }
    }

    /// The figures. `accepted` is read last, so that no entry is finished in them that was not accepted.
    pub(crate) fn snapshot(&self, accepted: impl FnOnce() -> u64) -> Stats {
        let delivered = self.delivered.load(Ordering::Acquire);
        let dropped = Dropped {
            rejected: self.rejected.load(Ordering::Acquire),
            unauthorized: self.unauthorized.load(Ordering::Acquire),
            undelivered: self.undelivered.load(Ordering::Acquire),
            unexpected: self.unexpected.load(Ordering::Acquire),
            evicted: self.evicted.load(Ordering::Acquire),
            damaged: self.damaged.load(Ordering::Acquire),
        };
        let spooled = self.spooled.load(Ordering::Acquire);
        let accepted = accepted();
        Stats {
            accepted,
            delivered,
            dropped,
            spooled,
            pending: accepted.saturating_sub(delivered + spooled + dropped.total()),
            refused: self.refused_counts(),
            recovered: Recovered {
                found: self.recovered_found.load(Ordering::Acquire),
                delivered: self.recovered_delivered.load(Ordering::Acquire),
                dropped: self.recovered_dropped.load(Ordering::Acquire),
                corrupt_segments: self.corrupt_segments.load(Ordering::Acquire),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_count() {
        let counters = Counters::default();
        counters.delivered(Owner::Queue, 5);
        counters.dropped(Owner::Queue, DropReason::Rejected, 1);
        counters.dropped(Owner::Queue, DropReason::Unauthorized, 2);
        counters.dropped(Owner::Queue, DropReason::Undelivered, 3);
        counters.dropped(Owner::Queue, DropReason::Unexpected, 4);
        counters.spooled(9);
        counters.delivered(Owner::Spool, 1);
        counters.dropped(Owner::Spool, DropReason::Evicted, 2);
        counters.dropped(Owner::Spool, DropReason::Damaged, 3);
        counters.recovered(9);
        counters.delivered(Owner::Earlier, 8);
        counters.dropped(Owner::Earlier, DropReason::Rejected, 1);
        counters.refused(Refused::QueueFull);
        counters.refused(Refused::OutOfBytes);
        counters.refused(Refused::Closed);
        counters.refused(Refused::Forked);
        counters.invalid();
        let stats = counters.snapshot(|| 29);
        assert_eq!((stats.pending, stats.dropped.total(), stats.refused.total()), (5, 15, 5));
        assert_eq!((stats.delivered, stats.spooled, stats.recovered.found), (6, 3, 9));
        assert_eq!(stats.accepted, stats.delivered + stats.spooled + stats.dropped.total() + stats.pending);
        assert_eq!(stats.recovered.found, stats.recovered.delivered + stats.recovered.dropped);
    }

    /// Entries that go from the disk to the server must not be in two counts at any moment.
    #[test]
    fn the_counts_balance_while_they_change() {
        const ENTRIES: u64 = 4_000_000;
        let counters = Counters::default();
        counters.spooled(ENTRIES);
        std::thread::scope(|scope| {
            let moving = scope.spawn(|| {
                for _ in 0..ENTRIES / 4 {
                    counters.delivered(Owner::Spool, 3);
                    counters.dropped(Owner::Spool, DropReason::Evicted, 1);
                }
            });
            while !moving.is_finished() {
                let stats = counters.snapshot(|| ENTRIES);
                assert!(stats.delivered + stats.spooled + stats.dropped.total() <= ENTRIES, "{stats:?}");
            }
        });
        assert_eq!(counters.snapshot(|| ENTRIES).spooled, 0);
    }
}
