//! What waits for the worker: a bounded queue with a byte budget, the policy of who is refused, and the worker's bell.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use tokio::sync::Notify;
use tracehub_core::{Direction, TraceEntry};

use crate::error::Refused;

/// The bit of [`Queue::held`] that says that nothing more is taken.
const CLOSED: u64 = 1 << 63;

/// Entries from the moment they are accepted until they are delivered or dropped.
///
/// The bounds cover all of that time, not the channel alone, so memory stays bounded while a request hangs.
#[derive(Debug)]
pub(crate) struct Queue {
    sender: Sender<TraceEntry>,
    /// Kept here and not by the worker, so that the channel is never disconnected: the bounds alone decide.
    receiver: Receiver<TraceEntry>,
    /// How many entries have a place, and [`CLOSED`]. One atomic, so that no entry can slip in beside a close.
    held: AtomicU64,
    bytes: AtomicUsize,
    accepted: AtomicU64,
    places: Bound<u64>,
    budget: Bound<usize>,
    /// How many held entries end a nap of the worker: waiting for its end could fill the queue.
    wake_at: u64,
    parked: AtomicBool,
    bell: Notify,
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
    fn of(&self, direction: &Direction) -> T {
        match direction {
            Direction::Leave => self.leaves,
            Direction::Enter | Direction::Mark(_) => self.enters,
        }
    }
}

impl Queue {
    pub(crate) fn new(capacity: usize, max_bytes: usize) -> Self {
        let (sender, receiver) = crossbeam_channel::bounded(capacity);
        let places = capacity as u64;
        Self {
            sender,
            receiver,
            held: AtomicU64::new(0),
            bytes: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            places: Bound { enters: places - places / 10, leaves: places },
            budget: Bound { enters: max_bytes - max_bytes / 10, leaves: max_bytes },
            wake_at: places.div_ceil(2),
            parked: AtomicBool::new(false),
            bell: Notify::new(),
        }
    }

    /// Takes an entry or refuses it; never waits.
    pub(crate) fn offer(&self, entry: TraceEntry) -> Result<(), Refused> {
        let places = self.places.of(entry.direction());
        // A look before the write: while the queue is full, senders must not fight for the counter's cache line.
        Self::check(self.held.load(Ordering::Relaxed), places)?;
        let held = self.held.fetch_add(1, Ordering::SeqCst);
        if let Err(refused) = Self::check(held, places) {
            self.held.fetch_sub(1, Ordering::SeqCst);
            return Err(refused);
        }
        let cost = cost(&entry);
        let budget = self.budget.of(entry.direction());
        if self.bytes.fetch_add(cost, Ordering::Relaxed).saturating_add(cost) > budget {
            self.release(1, cost);
            return Err(Refused::OutOfBytes);
        }
        // Counted before it is enqueued: a flush that starts after this send must not miss it. The queue is first in,
        // first out, so once as many entries are finished as were counted, all that were enqueued by then are.
        self.accepted.fetch_add(1, Ordering::Release);
        if self.sender.try_send(entry).is_err() {
            // There is a place for each held entry, so this does not happen; if it did, nothing was taken.
            self.accepted.fetch_sub(1, Ordering::Release);
            self.release(1, cost);
            return Err(Refused::QueueFull);
        }
        let wanted = held + 1 == self.wake_at
            || (self.parked.load(Ordering::SeqCst) && self.parked.swap(false, Ordering::SeqCst));
        if wanted {
            self.ring();
        }
        Ok(())
    }

    fn check(held: u64, places: u64) -> Result<(), Refused> {
        if held & CLOSED != 0 {
            Err(Refused::Closed)
        } else if held >= places {
            Err(Refused::QueueFull)
        } else {
            Ok(())
        }
    }

    /// The next entry in line, still held.
    pub(crate) fn take(&self) -> Option<TraceEntry> {
        self.receiver.try_recv().ok()
    }

    /// Gives places and bytes back, once their entries are delivered or dropped.
    pub(crate) fn release(&self, entries: u64, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.held.fetch_sub(entries, Ordering::SeqCst);
    }

    /// How many entries were accepted so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Acquire)
    }

    /// Refuses everything from now on.
    pub(crate) fn close(&self) {
        self.held.fetch_or(CLOSED, Ordering::SeqCst);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.held.load(Ordering::SeqCst) & CLOSED != 0
    }

    /// Whether nothing is held and nothing can come any more.
    pub(crate) fn is_done(&self) -> bool {
        self.held.load(Ordering::SeqCst) == CLOSED
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
        // A sender first holds a place and then looks whether the worker rests; here it is the other way round. Both
        // are sequentially consistent, so at least one sees the other and no entry waits beside a resting worker.
        self.parked.store(true, Ordering::SeqCst);
        if self.held.load(Ordering::SeqCst) == 0 {
            self.bell.notified().await;
        }
        self.parked.store(false, Ordering::SeqCst);
    }
}

/// The bytes of memory that an entry takes, about.
pub(crate) fn cost(entry: &TraceEntry) -> usize {
    let fields = entry.as_ref();
    size_of::<TraceEntry>()
        + fields.source_id.len()
        + fields.correlation_id.len()
        + fields.suffix.len()
        + fields.operation.len()
        + fields.endpoint.len()
        + fields.hostname.len()
        + fields.data.map_or(0, str::len)
        + fields.raw_line.map_or(0, str::len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(direction: &str, data_bytes: usize) -> TraceEntry {
        let padding = "x".repeat(data_bytes);
        TraceEntry::builder("MA", "c1").direction(direction.into()).raw_line(padding).build().unwrap()
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
        let one = cost(&entry("->", 1_000));
        let queue = Queue::new(100, one * 10);
        for _ in 0..9 {
            queue.offer(entry("->", 1_000)).unwrap();
        }
        assert_eq!(queue.offer(entry("->", 1_000)), Err(Refused::OutOfBytes));
        queue.offer(entry("<-", 1_000)).unwrap();
        assert_eq!(queue.offer(entry("<-", 1_000)), Err(Refused::OutOfBytes));
        let taken = queue.take().unwrap();
        assert_eq!(queue.offer(entry("<-", 1_000)), Err(Refused::OutOfBytes), "taken is still held");
        queue.release(1, cost(&taken));
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
        queue.release(1, cost(&taken));
        assert!(queue.is_done());
    }

    /// Counted later, an entry could be finished in the place of another, and a flush would end too early.
    #[test]
    fn an_entry_is_counted_before_it_can_be_taken() {
        const EACH: u64 = 20_000;
        let queue = Queue::new(64, usize::MAX);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let one = entry("<-", 0);
                    for _ in 0..EACH {
                        while queue.offer(one.clone()) == Err(Refused::QueueFull) {
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
                queue.release(1, cost(&entry));
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
                        bytes -= cost(&taken);
                        queue.release(1, cost(&taken));
                    }
                    continue;
                }
                let entry = entry(if kind == 0 { "->" } else { "<-" }, size);
                let cost = cost(&entry);
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
            prop_assert_eq!(queue.held.load(Ordering::SeqCst), held as u64);
            prop_assert_eq!(queue.bytes.load(Ordering::SeqCst), bytes);
        }
    }
}
