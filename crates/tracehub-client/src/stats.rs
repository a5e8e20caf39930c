//! What became of the entries: counters that the senders and the worker keep, and the figures that users see.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Refused;

/// What became of the entries so far. `accepted` is always `delivered + dropped.total() + pending`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Entries that [`send`](crate::TraceHubClient::send) took.
    pub accepted: u64,
    /// Entries that the server has acknowledged.
    pub delivered: u64,
    /// Entries that were taken and given up, by reason.
    pub dropped: Dropped,
    /// Entries that wait or are on their way; after a close, those that its deadline cut off.
    pub pending: u64,
    /// Entries that were not taken, by reason. They are not among the accepted.
    pub refused: RefusedCounts,
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
}

impl Dropped {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.rejected + self.unauthorized + self.undelivered + self.unexpected
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
    /// Checkpoints whose names break a limit of the model, so that they never became an entry.
    pub invalid: u64,
}

impl RefusedCounts {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.queue_full + self.out_of_bytes + self.closed + self.invalid
    }
}

/// Why an accepted entry was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DropReason {
    Rejected,
    Unauthorized,
    Undelivered,
    Unexpected,
}

/// The counters behind [`Stats`], one atomic each.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    delivered: AtomicU64,
    rejected: AtomicU64,
    unauthorized: AtomicU64,
    undelivered: AtomicU64,
    unexpected: AtomicU64,
    queue_full: AtomicU64,
    out_of_bytes: AtomicU64,
    closed: AtomicU64,
    invalid: AtomicU64,
}

impl Counters {
    pub(crate) fn delivered(&self, entries: u64) {
        self.delivered.fetch_add(entries, Ordering::Release);
    }

    pub(crate) fn dropped(&self, reason: DropReason, entries: u64) {
        let counter = match reason {
            DropReason::Rejected => &self.rejected,
            DropReason::Unauthorized => &self.unauthorized,
            DropReason::Undelivered => &self.undelivered,
            DropReason::Unexpected => &self.unexpected,
        };
        counter.fetch_add(entries, Ordering::Release);
    }

    pub(crate) fn refused(&self, reason: Refused) {
        let counter = match reason {
            Refused::QueueFull => &self.queue_full,
            Refused::OutOfBytes => &self.out_of_bytes,
            Refused::Closed => &self.closed,
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
        };
        let accepted = accepted();
        Stats {
            accepted,
            delivered,
            dropped,
            pending: accepted.saturating_sub(delivered + dropped.total()),
            refused: self.refused_counts(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_count() {
        let counters = Counters::default();
        counters.delivered(5);
        counters.dropped(DropReason::Rejected, 1);
        counters.dropped(DropReason::Unauthorized, 2);
        counters.dropped(DropReason::Undelivered, 3);
        counters.dropped(DropReason::Unexpected, 4);
        counters.refused(Refused::QueueFull);
        counters.refused(Refused::OutOfBytes);
        counters.refused(Refused::Closed);
        counters.invalid();
        let stats = counters.snapshot(|| 20);
        assert_eq!((stats.pending, stats.dropped.total(), stats.refused.total()), (5, 10, 4));
        assert_eq!(stats.accepted, stats.delivered + stats.dropped.total() + stats.pending);
    }
}
