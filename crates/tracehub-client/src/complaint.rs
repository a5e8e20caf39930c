//! The SDK's own log: a few warnings from the worker, at most one of a kind in ten seconds, never through the SDK.

use std::time::Duration;

use tokio::time::Instant;

/// The `tracing` target of the SDK's own warnings. What turns log events into entries must leave it out.
pub const LOG_TARGET: &str = "tracehub_client";

/// How long a kind stays silent after it was logged.
const SILENCE: Duration = Duration::from_secs(10);

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The server cannot be reached or is overloaded; entries may still be delivered.
    Troubled,
    /// Entries were given up.
    Dropped,
    /// Entries were not taken.
    Refused,
}

/// Remembers when each kind was logged last, and how many entries went unmentioned since.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    troubled: Silence,
    dropped: Silence,
    refused: Silence,
}

#[derive(Debug, Default)]
struct Silence {
    since: Option<Instant>,
    unmentioned: u64,
}

impl Complaints {
    /// Logs that `entries` met `reason`, or only counts them if this kind was logged a moment ago.
    pub(crate) fn complain(&mut self, kind: Kind, entries: u64, reason: impl FnOnce() -> String) {
        let Some(entries) = self.due(kind, entries, Instant::now()) else {
            return;
        };
        let reason = reason();
        match kind {
            Kind::Troubled => tracing::warn!(target: LOG_TARGET, entries, %reason, "delivery is delayed"),
            Kind::Dropped => tracing::warn!(target: LOG_TARGET, entries, %reason, "entries were dropped"),
            Kind::Refused => tracing::warn!(target: LOG_TARGET, entries, %reason, "entries were refused"),
        }
    }

    /// How many entries to mention now, if any.
    fn due(&mut self, kind: Kind, entries: u64, now: Instant) -> Option<u64> {
        let silence = match kind {
            Kind::Troubled => &mut self.troubled,
            Kind::Dropped => &mut self.dropped,
            Kind::Refused => &mut self.refused,
        };
        silence.unmentioned += entries;
        if silence.since.is_some_and(|since| now.duration_since(since) < SILENCE) {
            return None;
        }
        silence.since = Some(now);
        Some(std::mem::take(&mut silence.unmentioned))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::span;
    use tracing::{Event, Level, Metadata, Subscriber};

    use super::*;

    /// Keeps where events came from and how grave they are.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<(String, Level)>>>);

    impl Subscriber for Seen {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &Event<'_>) {
            let metadata = event.metadata();
            self.0.lock().unwrap().push((metadata.target().to_owned(), *metadata.level()));
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn warnings_carry_the_target_that_filters_know() {
        let seen = Seen::default();
        tracing::subscriber::with_default(seen.clone(), || {
            let mut complaints = Complaints::default();
            for _ in 0..100 {
                complaints.complain(Kind::Troubled, 1, String::new);
                complaints.complain(Kind::Dropped, 1, String::new);
                complaints.complain(Kind::Refused, 1, String::new);
            }
        });
        let expected = (LOG_TARGET.to_owned(), Level::WARN);
        assert_eq!(*seen.0.lock().unwrap(), vec![expected; 3]);
    }

    #[test]
    fn each_kind_speaks_once_in_ten_seconds_and_forgets_no_entry() {
        let mut complaints = Complaints::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(complaints.due(Kind::Dropped, 1, at(0)), Some(1));
        assert_eq!(complaints.due(Kind::Dropped, 2, at(1)), None);
        assert_eq!(complaints.due(Kind::Refused, 5, at(1)), Some(5));
        assert_eq!(complaints.due(Kind::Dropped, 3, at(9)), None);
        assert_eq!(complaints.due(Kind::Dropped, 4, at(10)), Some(9));
        assert_eq!(complaints.due(Kind::Troubled, 1, at(10)), Some(1));
    }
}
