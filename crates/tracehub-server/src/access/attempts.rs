//! Wrong secrets, counted for each address: whoever tries many has to wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Wrong secrets of one address in a window before it has to wait.
const MAX_FAILURES: u32 = 10;
/// How long failures are remembered, from the first of them.
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses that are remembered at a time. Beyond them the oldest are forgotten: a stranger cannot fill the memory.
const MAX_ADDRESSES: usize = 4_096;

/// Who has failed of late.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<IpAddr, Failures>>);

#[derive(Debug, Clone, Copy)]
struct Failures {
    since: Instant,
    count: u32,
}

impl Attempts {
    /// How long an address has to wait before it may try again, in seconds; none if it may.
    pub(crate) fn wait(&self, address: IpAddr, now: Instant) -> Option<u32> {
        let mut failures = self.lock();
        let seen = failures.get(&address)?;
        let age = now.saturating_duration_since(seen.since);
        if age >= WINDOW {
            failures.remove(&address);
            return None;
        }
        let rest = WINDOW.saturating_sub(age).as_secs() + 1;
        (seen.count >= MAX_FAILURES).then(|| u32::try_from(rest).unwrap_or(u32::MAX))
    }

    /// Remembers a failure.
    pub(crate) fn fail(&self, address: IpAddr, now: Instant) {
        let mut failures = self.lock();
        if failures.len() >= MAX_ADDRESSES && !failures.contains_key(&address) {
            failures.retain(|_, seen| now.saturating_duration_since(seen.since) < WINDOW);
            if failures.len() >= MAX_ADDRESSES
                && let Some(oldest) = failures.iter().min_by_key(|(_, seen)| seen.since).map(|(address, _)| *address)
            {
                failures.remove(&oldest);
            }
        }
        let seen = failures.entry(address).or_insert(Failures { since: now, count: 0 });
        if now.saturating_duration_since(seen.since) >= WINDOW {
            *seen = Failures { since: now, count: 0 };
        }
        seen.count += 1;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Failures>> {
        // Each change under the lock leaves the map whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_mean_a_minute() {
        let attempts = Attempts::default();
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let start = Instant::now();
        for _ in 0..MAX_FAILURES {
            assert_eq!(attempts.wait(one, start), None);
            attempts.fail(one, start);
        }
        assert_eq!(attempts.wait(one, start), Some(61));
        assert_eq!(attempts.wait(one, start + Duration::from_secs(59)), Some(2));
        assert_eq!(attempts.wait(other, start), None);
        assert_eq!(attempts.wait(one, start + WINDOW), None);
    }

    #[test]
    fn strangers_cannot_fill_the_memory() {
        let attempts = Attempts::default();
        let start = Instant::now();
        for number in 0..10_000_u32 {
            attempts.fail(IpAddr::from(number.to_be_bytes()), start + Duration::from_micros(number.into()));
        }
        assert_eq!(attempts.lock().len(), MAX_ADDRESSES);
    }
}
