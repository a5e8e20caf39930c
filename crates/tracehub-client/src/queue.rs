//! What waits for the worker: a bounded queue with a byte budget, the policy of who is refused, and the worker's bell.

use std::process;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use crossbeam_utils::CachePadded;
use tokio::sync::Notify;

use crate::error::Refused;
use crate::item::Item;

/// The bit of [`Queue::accepted`] that says that nothing more is taken.
const CLOSED: u64 = 1 << 63;
/// Senders look this often whether they are in the process whose worker empties the queue. Asking the system for each
/// entry would cost more than the entry.
const ENTRIES_BETWEEN_LOOKS_AT_PROCESS: u64 = 64;

/// Entries from the moment they are accepted until they are delivered or dropped.
///
/// The bounds cover all of that time, not the places alone, so memory stays bounded while a request hangs.
#[derive(Debug)]
pub(crate) struct Queue {
    places: ArrayQueue<Item>,
    /// How many entries were accepted so far, and [`CLOSED`]. One atomic, so that no entry can slip in beside a close.
    /// All senders write it, so it shares its cache line with nothing.
    accepted: CachePadded<AtomicU64>,
    /// How many of them are delivered or dropped. Only the worker writes it.
    released: CachePadded<AtomicU64>,
    /// The memory of the entries that are held, beside their places.
    bytes: CachePadded<AtomicUsize>,
    entries_bound: Bound<u64>,
    bytes_bound: Bound<usize>,
    /// How many held entries end a nap of the worker: waiting for its end could fill the queue.
    wake_at: u64,
    parked: AtomicBool,
    bell: Notify,
    /// The process that has the worker. A fork of it has none.
    process: u32,
}

/// Up to where enters (and marks) are taken, and up to where leaves are.
///
/// A call whose enter was taken should get its leave, so leaves have the last tenth to themselves.
#[derive(Debug, Clone, Copy)]
struct Bound<T> {
    enters: T,
    leaves: T,
}

impl<T: Copy> Bound<T> {
    fn of(&self, item: &Item) -> T {
        if item.is_leave() { self.leaves } else { self.enters }
    }
}

impl Queue {
    pub(crate) fn new(capacity: usize, max_bytes: usize) -> Self {
        let entries = capacity as u64;
        Self {
            places: ArrayQueue::new(capacity),
            accepted: CachePadded::default(),
            released: CachePadded::default(),
            bytes: CachePadded::default(),
            entries_bound: Bound { enters: entries - entries / 10, leaves: entries },
            bytes_bound: Bound { enters: max_bytes - max_bytes / 10, leaves: max_bytes },
            wake_at: entries.div_ceil(2),
            parked: AtomicBool::new(false),
            bell: Notify::new(),
            process: process::id(),
        }
    }

    /// Whether an enter would find a place now, so that nothing need be made for one that would not.
    pub(crate) fn check(&self, is_leave: bool) -> Result<(), Refused> {
        let most = if is_leave { self.entries_bound.leaves } else { self.entries_bound.enters };
        self.held_of(self.accepted.load(Ordering::Relaxed), most).map(|_| ())
    }

    /// Takes an entry or refuses it; never waits.
    #[inline]
    pub(crate) fn offer(&self, mut item: Item) -> Result<(), Refused> {
        let most = self.entries_bound.of(&item);
        let own_bytes = item.own_bytes();
        if own_bytes > 0 {
            self.check(item.is_leave())?;
            let bytes = self.bytes.fetch_add(own_bytes, Ordering::Relaxed).saturating_add(own_bytes);
            if bytes > self.bytes_bound.of(&item) {
                self.bytes.fetch_sub(own_bytes, Ordering::Relaxed);
                return Err(Refused::OutOfBytes);
            }
        }
        // Counted before it is enqueued: a flush that starts after this send must not miss it. The queue is first in,
        // first out, so once as many entries are finished as were counted, all that were enqueued by then are.
        let (number, held) = match self.count(most) {
            Ok(counted) => counted,
            Err(refused) => {
                self.bytes.fetch_sub(own_bytes, Ordering::Relaxed);
                return Err(refused);
            }
        };
        item.set_number(number);
        if self.places.push(item).is_err() {
            // There is a place for each held entry, so this does not happen; if it did, nothing was taken.
            self.accepted.fetch_sub(1, Ordering::SeqCst);
            self.bytes.fetch_sub(own_bytes, Ordering::Relaxed);
            return Err(Refused::QueueFull);
        }
        let wanted = held + 1 == self.wake_at
            || (self.parked.load(Ordering::SeqCst) && self.parked.swap(false, Ordering::SeqCst));
        if wanted {
            self.ring();
        }
        Ok(())
    }

    /// Counts one more entry as accepted, unless `most` are held; gives its number, and how many were held before.
    fn count(&self, most: u64) -> Result<(u64, u64), Refused> {
        let mut accepted = self.accepted.load(Ordering::Relaxed);
        loop {
            let held = self.held_of(accepted, most)?;
            // Where the worker rests, its bell must be rung, which costs more than the look; so a fork of an idle process
            // is noticed at once.
            let is_time = accepted.is_multiple_of(ENTRIES_BETWEEN_LOOKS_AT_PROCESS);
            if (is_time || self.parked.load(Ordering::Relaxed)) && self.is_forked() {
                return Err(Refused::Forked);
            }
            let counted =
                self.accepted.compare_exchange_weak(accepted, accepted + 1, Ordering::SeqCst, Ordering::Relaxed);
            match counted {
                Ok(number) => return Ok((number, held)),
                Err(now) => accepted = now,
            }
        }
    }

    /// How many entries are held when so many were accepted; below `most`.
    fn held_of(&self, accepted: u64, most: u64) -> Result<u64, Refused> {
        if accepted & CLOSED != 0 {
            return Err(Refused::Closed);
        }
        // What was released meanwhile may be more than was accepted then.
        let held = accepted.saturating_sub(self.released.load(Ordering::Acquire));
        if held < most { Ok(held) } else { Err(Refused::QueueFull) }
    }

    /// The next entry in line, still held.
    pub(crate) fn take(&self) -> Option<Item> {
        self.places.pop()
    }

    /// Gives places and bytes back, once their entries are delivered or dropped, or safe elsewhere.
    pub(crate) fn release(&self, entries: u64, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.released.fetch_add(entries, Ordering::SeqCst);
    }

    /// How many entries were accepted so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Acquire) & !CLOSED
    }

    /// Refuses everything from now on.
    pub(crate) fn close(&self) {
        self.accepted.fetch_or(CLOSED, Ordering::SeqCst);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.accepted.load(Ordering::SeqCst) & CLOSED != 0
    }

    /// Whether nothing is held and nothing can come any more.
    pub(crate) fn is_done(&self) -> bool {
        self.is_closed() && self.held() == 0
    }

    /// Whether this is another process than the one whose worker empties the queue.
    pub(crate) fn is_forked(&self) -> bool {
        process::id() != self.process
    }

    /// Makes this process look like a fork of the one that made the queue.
    #[cfg(test)]
    pub(crate) fn pretend_fork(&mut self) {
        self.process = self.process.wrapping_add(1);
    }

    fn held(&self) -> u64 {
        let accepted = self.accepted.load(Ordering::SeqCst) & !CLOSED;
        accepted.saturating_sub(self.released.load(Ordering::SeqCst))
    }

    /// Ends the worker's nap or rest, or its next one.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits for the bell, at most this long.
    pub(crate) async fn nap(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.bell.notified()).await;
    }

    /// Waits for the bell for as long as nothing is held.
    pub(crate) async fn rest(&self) {
        // A sender first counts its entry and then looks whether the worker rests; here it is the other way round. Both
        // are sequentially consistent, so at least one sees the other and no entry waits beside a resting worker.
        self.parked.store(true, Ordering::SeqCst);
        if self.held() == 0 {
            self.bell.notified().await;
        }
        self.parked.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tracehub_core::TraceEntry;

    use super::*;

    fn entry(direction: &str, data_bytes: usize) -> Item {
        let padding = "x".repeat(data_bytes);
        let entry = TraceEntry::builder("MA", "c1").direction(direction.into()).raw_line(padding).build().unwrap();
        Item::Entry(Box::new(entry))
    }

    #[test]
    fn the_last_tenth_is_for_leaves() {
        let queue = Queue::new(20, usize::MAX);
        for _ in 0..18 {
            queue.offer(entry("->", 0)).unwrap();
        }
        assert_eq!(queue.offer(entry("->", 0)), Err(Refused::QueueFull));
        assert_eq!(queue.offer(entry("!", 0)), Err(Refused::QueueFull));
        queue.offer(entry("<-", 0)).unwrap();
        queue.offer(entry("<-", 0)).unwrap();
        assert_eq!(queue.offer(entry("<-", 0)), Err(Refused::QueueFull));
        assert_eq!(queue.accepted(), 20);
    }

    #[test]
    fn bytes_are_bounded_and_given_back() {
        let one = entry("->", 1_000).own_bytes();
        let queue = Queue::new(100, one * 10);
        for _ in 0..9 {
            queue.offer(entry("->", 1_000)).unwrap();
        }
        assert_eq!(queue.offer(entry("->", 1_000)), Err(Refused::OutOfBytes));
        queue.offer(entry("<-", 1_000)).unwrap();
        assert_eq!(queue.offer(entry("<-", 1_000)), Err(Refused::OutOfBytes));
        let taken = queue.take().unwrap();
        assert_eq!(queue.offer(entry("<-", 1_000)), Err(Refused::OutOfBytes), "taken is still held");
        queue.release(1, taken.own_bytes());
        queue.offer(entry("<-", 1_000)).unwrap();
    }

    #[test]
    fn a_closed_queue_takes_nothing_and_is_done_when_the_rest_is_released() {
        let queue = Queue::new(10, usize::MAX);
        queue.offer(entry("->", 0)).unwrap();
        queue.close();
        assert_eq!(queue.offer(entry("<-", 0)), Err(Refused::Closed));
        assert!(queue.is_closed() && !queue.is_done());
        let taken = queue.take().unwrap();
        queue.release(1, taken.own_bytes());
        assert!(queue.is_done());
    }

    #[test]
    fn a_fork_is_noticed_within_some_entries_and_at_once_where_the_worker_rests() {
        let mut queue = Queue::new(1_000, usize::MAX);
        queue.offer(entry("->", 0)).unwrap();
        queue.pretend_fork();
        let taken = (0..200).filter(|_| queue.offer(entry("->", 0)).is_ok()).count() as u64;
        assert!(taken < ENTRIES_BETWEEN_LOOKS_AT_PROCESS, "{taken}");
        assert_eq!(queue.offer(entry("<-", 0)), Err(Refused::Forked));

        let mut queue = Queue::new(1_000, usize::MAX);
        queue.offer(entry("->", 0)).unwrap();
        queue.parked.store(true, Ordering::SeqCst);
        queue.pretend_fork();
        for _ in 0..200 {
            assert_eq!(queue.offer(entry("->", 0)), Err(Refused::Forked));
        }
        assert_eq!((queue.accepted(), queue.bytes.load(Ordering::SeqCst)), (1, entry("->", 0).own_bytes()));
    }

    /// Counted later, an entry could be finished in the place of another, and a flush would end too early.
    #[test]
    fn an_entry_is_counted_before_it_can_be_taken() {
        const EACH: u64 = 20_000;
        let queue = Queue::new(64, usize::MAX);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..EACH {
                        while queue.offer(entry("<-", 0)) == Err(Refused::QueueFull) {
                            std::thread::yield_now();
                        }
                    }
                });
            }
            let (mut taken, mut all_counted) = (0, true);
            while taken < 2 * EACH && all_counted {
                let Some(entry) = queue.take() else { continue };
                taken += 1;
                all_counted = queue.accepted() >= taken;
                queue.release(1, entry.own_bytes());
            }
            // Lets the senders end, whatever was found.
            queue.close();
            assert!(all_counted, "after {taken} entries");
        });
    }

    proptest! {
        #[test]
        fn no_order_of_events_breaks_the_bounds(
            capacity in 1_usize..40,
            events in prop::collection::vec((0_u8..3, 0_usize..3_000), 0..200),
        ) {
            let max_bytes = 20_000;
            let queue = Queue::new(capacity, max_bytes);
            let (mut held, mut bytes) = (0, 0);
            for (kind, size) in events {
                if kind == 2 {
                    if let Some(taken) = queue.take() {
                        held -= 1;
                        bytes -= taken.own_bytes();
                        queue.release(1, taken.own_bytes());
                    }
                    continue;
                }
                let entry = entry(if kind == 0 { "->" } else { "<-" }, size);
                let cost = entry.own_bytes();
                let share = if kind == 0 { (capacity - capacity / 10, max_bytes - max_bytes / 10) } else { (capacity, max_bytes) };
                let expected = if held >= share.0 {
                    Err(Refused::QueueFull)
                } else if bytes + cost > share.1 {
                    Err(Refused::OutOfBytes)
                } else {
                    held += 1;
                    bytes += cost;
                    Ok(())
                };
                prop_assert_eq!(queue.offer(entry), expected);
            }
            prop_assert_eq!(queue.held(), held as u64);
            prop_assert_eq!(queue.bytes.load(Ordering::SeqCst), bytes);
        }
    }
}
