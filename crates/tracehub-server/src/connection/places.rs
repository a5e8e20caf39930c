//! How many connections there may be. Beyond the limit some places remain, on which only the server's health is answered:
//! who watches over it must not be locked out by those who crowd it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Places beyond the limit.
const RESERVE: usize = 64;

/// The places of one server.
#[derive(Debug, Clone)]
pub(super) struct Places {
    taken: Arc<AtomicUsize>,
    most: usize,
}

/// A connection's place. Dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Place {
    taken: Arc<AtomicUsize>,
    /// Whether it is one beyond the limit.
    pub(super) is_reserve: bool,
}

impl Places {
    /// Places for so many connections, beside the reserve.
    pub(super) fn new(most: usize) -> Self {
        Self { taken: Arc::default(), most }
    }

    /// The most there may be, the reserve included.
    pub(super) fn most(&self) -> usize {
        self.most + RESERVE
    }

    /// A place, while there is one.
    pub(super) fn take(&self) -> Option<Place> {
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        // Refused, the place is dropped here and counts no more.
        let place = Place { taken: Arc::clone(&self.taken), is_reserve: before >= self.most };
        (before < self.most()).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_places_are_the_reserve_and_all_come_back() {
        let places = Places::new(10);
        let mut taken: Vec<Place> = (0..10 + RESERVE).map(|_| places.take().unwrap()).collect();
        assert_eq!(taken.iter().filter(|place| place.is_reserve).count(), RESERVE);
        assert!(places.take().is_none() && places.take().is_none());
        drop(taken.remove(0));
        assert!(places.take().is_some_and(|place| place.is_reserve), "it was full but for one");
        drop(taken);
        assert!(places.take().is_some_and(|place| !place.is_reserve));
        assert_eq!(places.taken.load(Ordering::Relaxed), 0);
    }
}
