//! How far the worker has come, and the callers that wait for it: deadlines, flush and close block here.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A moment up to which a caller waits. It may lie beyond the clock, which is never.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) fn after(wait: Duration) -> Self {
        Self(Instant::now().checked_add(wait))
    }

    /// What is left of it; none if it never comes.
    fn remaining(self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Ends at the deadline.
    pub(crate) async fn passed(self) {
        match self.0 {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    }
}

/// What the worker has achieved.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct State {
    /// How many entries were delivered or dropped. They are the first ones that were enqueued.
    pub(crate) finished: u64,
    /// Whether the worker has ended: nothing will be finished any more.
    pub(crate) ended: bool,
}

/// The worker's state, and a way to wait for it that needs no async runtime and disturbs none.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    state: Mutex<State>,
    changed: Condvar,
}

impl Progress {
    pub(crate) fn advance(&self, entries: u64) {
        self.lock().finished += entries;
        self.changed.notify_all();
    }

    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    pub(crate) fn finished(&self) -> u64 {
        self.lock().finished
    }

    /// Blocks until that many entries are finished, the worker has ended, or the deadline.
    pub(crate) fn wait_for(&self, entries: u64, deadline: Deadline) -> State {
        self.wait(deadline, |state| state.finished >= entries)
    }

    /// Blocks until the worker has ended, or the deadline.
    pub(crate) fn wait_for_end(&self, deadline: Deadline) -> State {
        self.wait(deadline, |_| false)
    }

    fn wait(&self, deadline: Deadline, reached: impl Fn(&State) -> bool) -> State {
        let mut state = self.lock();
        while !state.ended && !reached(&state) {
            state = match deadline.remaining() {
                Some(Duration::ZERO) => break,
                Some(rest) => {
                    let waited = self.changed.wait_timeout(state, rest);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        *state
    }

    /// The state is two plain values that are whole at any moment, so a panic elsewhere cannot have spoilt them.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_by_progress_by_the_end_or_at_the_deadline() {
        let progress = Progress::default();
        assert_eq!(progress.wait_for(1, Deadline::after(Duration::ZERO)).finished, 0);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| progress.wait_for(3, Deadline::after(Duration::MAX)));
            progress.advance(1);
            progress.advance(2);
            assert_eq!(waiting.join().unwrap().finished, 3);
            let waiting = scope.spawn(|| progress.wait_for(9, Deadline::after(Duration::MAX)));
            progress.end();
            assert!(waiting.join().unwrap().ended);
        });
    }
}
