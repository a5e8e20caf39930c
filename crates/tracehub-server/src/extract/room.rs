//! How much memory all bodies that are on their way may take together: a thousand slow ones must not fill it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that bodies of any size may take together.
const MAX_BYTES: usize = 64 << 20;
/// A body of up to so many bytes is a small one.
const SMALL_BYTES: usize = 256 << 10;
/// The bytes that small ones may take beyond the rest: who sends large ones slowly must not keep them out.
const MAX_SMALL_BYTES: usize = 32 << 20;

/// What the bodies of one server take.
#[derive(Debug, Clone, Default)]
pub(crate) struct BodyRoom(Arc<AtomicUsize>);

/// What one body takes of it. Dropped, it is given back.
#[derive(Debug)]
pub(crate) struct Share {
    room: BodyRoom,
    bytes: usize,
}

impl BodyRoom {
    /// A share for a body of which nothing has come yet.
    pub(crate) fn share(&self) -> Share {
        Share { room: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Takes room for more of the body, while there is some.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let after = self.room.0.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.bytes += bytes;
        after <= MAX_BYTES || (self.bytes <= SMALL_BYTES && after <= MAX_BYTES + MAX_SMALL_BYTES)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_leave_room_for_small_ones_and_all_of_it_comes_back() {
        let room = BodyRoom::default();
        let mut large: Vec<Share> = (0..8).map(|_| room.share()).collect();
        assert!(large.iter_mut().all(|share| share.grow(8 << 20)));
        assert!(!room.share().grow(SMALL_BYTES + 1));
        let mut small: Vec<Share> = (0..MAX_SMALL_BYTES / SMALL_BYTES).map(|_| room.share()).collect();
        assert!(small.iter_mut().all(|share| share.grow(SMALL_BYTES)));
        assert!(!room.share().grow(1));
        assert!(!small[0].grow(1), "it is no small one any more");
        drop((large, small));
        assert_eq!(room.0.load(Ordering::Relaxed), 0);
        assert!(room.share().grow(8 << 20));
    }
}
