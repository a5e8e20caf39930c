//! How many streams there may be: in all, and for one address, so that nobody takes every place.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most streams in all. Each takes a descriptor and some kilobytes.
pub(crate) const MAX_STREAMS: usize = 4_096;
/// The most streams of one address. A proxy is one address.
const MAX_STREAMS_PER_ADDRESS: usize = 2_048;

/// Who has a stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct Admission(Arc<Mutex<Streams>>);

#[derive(Debug, Default)]
struct Streams {
    all: usize,
    /// Since the start: places given, and those that were asked for in vain.
    admitted: u64,
    refused: u64,
    by_address: HashMap<IpAddr, usize>,
}

/// A stream's place. Dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Admitted {
    admission: Admission,
    address: IpAddr,
}

impl Admission {
    /// A place for a stream of this address, while there is one.
    pub(crate) fn admit(&self, address: IpAddr) -> Option<Admitted> {
        let mut streams = self.lock();
        let of_address = streams.by_address.get(&address).copied().unwrap_or(0);
        if streams.all >= MAX_STREAMS || of_address >= MAX_STREAMS_PER_ADDRESS {
            streams.refused += 1;
            return None;
        }
        streams.all += 1;
        streams.admitted += 1;
        streams.by_address.insert(address, of_address + 1);
        Some(Admitted { admission: self.clone(), address })
    }

    /// How many streams are open.
    pub(crate) fn open(&self) -> u64 {
        self.lock().all as u64
    }

    /// How many streams were opened since the start, and how many were refused.
    pub(crate) fn since_start(&self) -> (u64, u64) {
        let streams = self.lock();
        (streams.admitted, streams.refused)
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        // Each change under the lock leaves the counts whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut streams = self.admission.lock();
        streams.all -= 1;
        if let Some(count) = streams.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                streams.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back_and_one_address_cannot_take_all() {
        let admission = Admission::default();
        let address = |last| IpAddr::from([127, 0, 0, last]);
        let mut first: Vec<_> = (0..MAX_STREAMS_PER_ADDRESS).map(|_| admission.admit(address(1)).unwrap()).collect();
        assert!(admission.admit(address(1)).is_none());
        let second: Vec<_> = (0..MAX_STREAMS_PER_ADDRESS).map(|_| admission.admit(address(2)).unwrap()).collect();
        assert!(admission.admit(address(3)).is_none());
        assert_eq!(admission.open(), MAX_STREAMS as u64);
        assert_eq!(admission.since_start(), (MAX_STREAMS as u64, 2));
        first.pop();
        assert!(admission.admit(address(3)).is_some());
        drop((first, second));
        assert!(admission.lock().by_address.is_empty() && admission.lock().all == 0);
    }
}
