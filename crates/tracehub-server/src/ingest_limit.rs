//! How many entries a second one address may send. Off unless asked for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::ApiError;

/// Addresses that are remembered at a time. Beyond them the one whose debt is settled first is forgotten: a stranger
/// cannot fill the memory.
const MAX_ADDRESSES: usize = 4_096;
/// What an address may send at once after it was silent, as time at the limit.
const BURST: Duration = Duration::from_secs(1);

/// Who has sent how much of late, as the time when it will have been worth its wait.
#[derive(Debug)]
pub(crate) struct IngestLimit {
    entries_a_second: u32,
    settled_at: Mutex<HashMap<IpAddr, Instant>>,
}

impl IngestLimit {
    pub(crate) fn new(entries_a_second: u32) -> Self {
        Self { entries_a_second, settled_at: Mutex::default() }
    }

    /// Whether an address may send now.
    pub(crate) fn check(&self, address: IpAddr, now: Instant) -> Result<(), ApiError> {
        may_send(self.lock().get(&address).copied(), now)
    }

    /// Counts what an address sends, if it may. A batch is taken whole, however large it is; what comes next waits for it.
    pub(crate) fn take(&self, address: IpAddr, entries: usize, now: Instant) -> Result<(), ApiError> {
        let mut settled_at = self.lock();
        let known = settled_at.get(&address).copied();
        may_send(known, now)?;
        if known.is_none() && settled_at.len() >= MAX_ADDRESSES {
            make_room(&mut settled_at, now);
        }
        let cost = Duration::from_secs_f64(entries as f64 / f64::from(self.entries_a_second));
        settled_at.insert(address, known.map_or(now, |known| known.max(now)) + cost);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Instant>> {
        // Each change under the lock leaves the map whole.
        self.settled_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn may_send(settled_at: Option<Instant>, now: Instant) -> Result<(), ApiError> {
    let debt = settled_at.map_or(Duration::ZERO, |settled_at| settled_at.saturating_duration_since(now));
    if debt < BURST {
        return Ok(());
    }
    let seconds = debt.saturating_sub(BURST).as_secs() + 1;
    Err(ApiError::RateLimited(u32::try_from(seconds).unwrap_or(u32::MAX)))
}

/// Who owes nothing need not be remembered; if all do, who owes the least.
fn make_room(settled_at: &mut HashMap<IpAddr, Instant>, now: Instant) {
    settled_at.retain(|_, settled_at| *settled_at > now);
    if settled_at.len() >= MAX_ADDRESSES
        && let Some(least) = settled_at.iter().min_by_key(|(_, settled_at)| **settled_at).map(|(address, _)| *address)
    {
        settled_at.remove(&least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn over_any_time_no_more_than_the_limit_and_one_burst_is_taken() {
        let limit = IngestLimit::new(100);
        let start = Instant::now();
        let mut taken = 0;
        for millisecond in 0..10_000 {
            if limit.take(address(1), 10, start + Duration::from_millis(millisecond)).is_ok() {
                taken += 10;
            }
        }
        assert!((1_090..=1_110).contains(&taken), "{taken}");
        assert!(limit.take(address(2), 10, start).is_ok(), "another address has its own");
    }

    #[test]
    fn a_large_batch_is_taken_and_waited_for() {
        let limit = IngestLimit::new(100);
        let start = Instant::now();
        assert!(limit.take(address(1), 1_000, start).is_ok());
        assert!(matches!(limit.check(address(1), start), Err(ApiError::RateLimited(10))));
        assert!(matches!(limit.take(address(1), 1, start + Duration::from_secs(9)), Err(ApiError::RateLimited(1))));
        assert!(limit.take(address(1), 1, start + Duration::from_millis(9_001)).is_ok());
    }

    #[test]
    fn strangers_cannot_fill_the_memory_nor_free_who_owes_most() {
        let limit = IngestLimit::new(100);
        let start = Instant::now();
        limit.take(address(u32::MAX), 100_000, start).unwrap();
        for number in 0..10_000 {
            limit.take(address(number), 200, start + Duration::from_micros(number.into())).unwrap();
        }
        assert_eq!(limit.lock().len(), MAX_ADDRESSES);
        assert!(limit.check(address(u32::MAX), start + Duration::from_millis(10)).is_err());
        limit.take(address(10_001), 1, start + Duration::from_mins(1)).unwrap();
        assert_eq!(limit.lock().len(), 2, "who owes nothing makes room");
    }
}
