//! The SDK's own log: a few warnings from the worker, at most one of a kind in ten seconds, never through the SDK; and
//! the host's hook, which hears of each.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// The `tracing` target of the SDK's own warnings. What turns log events into entries must leave it out.
pub const LOG_TARGET: &str = "tracehub_client";

/// How long a kind stays silent after it was logged.
const SILENCE: Duration = Duration::from_secs(10);

/// What a [`Complaint`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The server cannot be reached or is overloaded; entries may still be delivered.
    Delayed,
    /// Entries were given up.
    Dropped,
    /// Entries were not taken.
    Refused,
    /// The spool cannot be written or read.
    Spool,
}

/// Something went wrong with some entries.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Complaint {
    /// What.
    pub problem: Problem,
    /// How many entries it concerns.
    pub entries: u64,
    /// Why, as a sentence for people. It holds no data of entries and no secret.
    pub reason: String,
}

/// What the host does about complaints.
#[derive(Clone)]
pub(crate) struct ErrorHook(Arc<dyn Fn(&Complaint) + Send + Sync>);

impl ErrorHook {
    pub(crate) fn new(hook: impl Fn(&Complaint) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    /// A fault of the hook is not the worker's end.
    fn call(&self, complaint: &Complaint) {
        let _ = catch_unwind(AssertUnwindSafe(|| (self.0)(complaint)));
    }
}

impl fmt::Debug for ErrorHook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ErrorHook")
    }
}

/// Remembers when each kind was logged last, and how many entries went unmentioned since.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    hook: Option<ErrorHook>,
    delayed: Silence,
    dropped: Silence,
    refused: Silence,
    spool: Silence,
}

#[derive(Debug, Default)]
struct Silence {
    since: Option<Instant>,
    unmentioned: u64,
}

impl Complaints {
    pub(crate) fn new(hook: Option<ErrorHook>) -> Self {
        Self { hook, ..Self::default() }
    }

    /// Logs that `entries` met a problem, or only counts them if this kind was logged a moment ago. The hook hears of it
    /// each time.
    pub(crate) fn complain(&mut self, problem: Problem, entries: u64, reason: impl FnOnce() -> String) {
        let due = self.due(problem, entries, Instant::now());
        if due.is_none() && self.hook.is_none() {
            return;
        }
        let reason = reason();
        if let Some(entries) = due {
            match problem {
                Problem::Delayed => tracing::warn!(target: LOG_TARGET, entries, %reason, "delivery is delayed"),
                Problem::Dropped => tracing::warn!(target: LOG_TARGET, entries, %reason, "entries were dropped"),
                Problem::Refused => tracing::warn!(target: LOG_TARGET, entries, %reason, "entries were refused"),
                Problem::Spool => tracing::warn!(target: LOG_TARGET, entries, %reason, "the spool is in trouble"),
            }
        }
        if let Some(hook) = &self.hook {
            hook.call(&Complaint { problem, entries, reason });
        }
    }

    /// How many entries to mention now, if any.
    fn due(&mut self, problem: Problem, entries: u64, now: Instant) -> Option<u64> {
        let silence = match problem {
            Problem::Delayed => &mut self.delayed,
            Problem::Dropped => &mut self.dropped,
            Problem::Refused => &mut self.refused,
            Problem::Spool => &mut self.spool,
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
            let count = Arc::new(Mutex::new(0));
            let hook_count = Arc::clone(&count);
            let mut complaints = Complaints::new(Some(ErrorHook::new(move |complaint| {
                *hook_count.lock().unwrap() += complaint.entries;
                std::panic::resume_unwind(Box::new("a fault"));
            })));
            for _ in 0..100 {
                complaints.complain(Problem::Delayed, 1, String::new);
                complaints.complain(Problem::Dropped, 1, String::new);
                complaints.complain(Problem::Refused, 1, String::new);
            }
            assert_eq!(*count.lock().unwrap(), 300);
        });
        let expected = (LOG_TARGET.to_owned(), Level::WARN);
        assert_eq!(*seen.0.lock().unwrap(), vec![expected; 3]);
    }

    #[test]
    fn each_kind_speaks_once_in_ten_seconds_and_forgets_no_entry() {
        let mut complaints = Complaints::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(complaints.due(Problem::Dropped, 1, at(0)), Some(1));
        assert_eq!(complaints.due(Problem::Dropped, 2, at(1)), None);
        assert_eq!(complaints.due(Problem::Refused, 5, at(1)), Some(5));
        assert_eq!(complaints.due(Problem::Dropped, 3, at(9)), None);
        assert_eq!(complaints.due(Problem::Dropped, 4, at(10)), Some(9));
        assert_eq!(complaints.due(Problem::Delayed, 1, at(10)), Some(1));
    }
}
