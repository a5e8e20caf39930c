//! Fan-out: what was committed goes to those who listen. Nobody is waited for.
//!
//! A listener that does not keep up loses its subscription, not entries: it notices, subscribes again and catches up
//! from the store.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracehub_core::EntryRef;
use tracehub_core::store::{EntryId, Receipt};
use tracehub_core::wire::read::write_entry;

use super::frame::{Committed, Frame, FrameBuilder, KeptBytes, Piece};
use super::queue::Queue;
use super::subject::{Filter, Subject};
use crate::metrics::kinds::Counter;

/// The bytes of frames that all listeners together may keep. Beyond it, who is behind catches up from the store.
const MAX_KEPT_BYTES: usize = 32 << 20;

/// Who listens to what.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    listeners: Mutex<Listeners>,
    kept_bytes: KeptBytes,
    counts: Counts,
}

/// What listeners got, and what became of them.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Listeners for whom too much waited.
    pub(crate) lagged: Counter,
    /// Listeners that were behind when all together kept too much.
    pub(crate) cut_off: Counter,
    /// Entries that were sent as events, for each listener again.
    pub(crate) events: Counter,
}

#[derive(Debug, Default)]
struct Listeners {
    chains: HashMap<Arc<str>, Vec<Arc<Queue>>>,
    /// Those of all chains, by what they want of them.
    all: HashMap<Arc<Filter>, Vec<Arc<Queue>>>,
    /// The newest entry that was published.
    newest: EntryId,
    closed: bool,
}

/// The listening end. Dropping it ends the subscription.
#[derive(Debug)]
pub(crate) struct Subscription {
    hub: Arc<Hub>,
    subject: Subject,
    queue: Arc<Queue>,
    /// The newest entry when it began: what is newer comes by it.
    pub(crate) since: EntryId,
}

impl Subscription {
    /// The next events; none when this listener fell behind, or the hub was closed.
    pub(crate) async fn next(&mut self) -> Option<Piece> {
        self.queue.next().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut listeners = self.hub.lock();
        match &self.subject {
            Subject::Chain(correlation_id) => leave(&mut listeners.chains, correlation_id, &self.queue),
            Subject::All(filter) => leave(&mut listeners.all, filter, &self.queue),
        }
    }
}

fn leave<S: Hash + Eq>(listeners: &mut HashMap<S, Vec<Arc<Queue>>>, subject: &S, queue: &Arc<Queue>) {
    if let Some(queues) = listeners.get_mut(subject) {
        queues.retain(|other| !Arc::ptr_eq(other, queue));
        if queues.is_empty() {
            listeners.remove(subject);
        }
    }
}

impl Hub {
    /// A hub of a store whose newest entry is this.
    pub(crate) fn new(newest: EntryId) -> Self {
        Self { listeners: Mutex::new(Listeners { newest, ..Listeners::default() }), ..Self::default() }
    }

    /// What listeners got, and what became of them.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The bytes of events that wait for listeners.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept_bytes.get()
    }

    /// Listens from now on; none when the hub was closed.
    pub(crate) fn subscribe(self: &Arc<Self>, subject: Subject) -> Option<Subscription> {
        let queue = Arc::new(Queue::default());
        let mut listeners = self.lock();
        if listeners.closed {
            return None;
        }
        let queues = match &subject {
            Subject::Chain(id) => listeners.chains.entry(Arc::clone(id)).or_default(),
            Subject::All(filter) => listeners.all.entry(Arc::clone(filter)).or_default(),
        };
        queues.push(Arc::clone(&queue));
        Some(Subscription { hub: Arc::clone(self), subject, queue, since: listeners.newest })
    }

    /// Makes a committed group the newest. Said before anybody has its answer, so that a stream that begins after an answer
    /// begins after those entries, although they are passed on later.
    pub(crate) fn advance(&self, receipts: &[Receipt]) {
        let mut ids = receipts.iter().rev().flat_map(|receipt| receipt.ids.iter().rev());
        if let Some(newest) = ids.find_map(|id| *id) {
            self.lock().newest = newest;
        }
    }

    /// Passes on what was new in a committed group that is [the newest](Self::advance) already. Nobody is waited for, and
    /// events are written while nobody is kept waiting for the lock.
    ///
    /// The lock is taken after the commit, and a listener takes it before it reads the store. So an entry is either in
    /// what the listener reads or in what it is sent, whichever of the two comes first. Who comes while events are
    /// written knows this group as the newest already, and finds it in the store.
    pub(crate) fn publish(&self, group: &Committed) {
        let interest = self.interest(group);
        if interest.chains.is_empty() && interest.filters.is_empty() {
            return;
        }
        let frames = Frames::of(&interest, group, &self.kept_bytes);
        let mut listeners = self.lock();
        if self.kept_bytes.get() > MAX_KEPT_BYTES {
            self.counts.cut_off.add(listeners.cut_off_who_is_behind());
        }
        let mut lagged = 0;
        for (correlation_id, frame) in frames.chains {
            lagged += offer(&mut listeners.chains, &correlation_id, frame);
        }
        for (filter, frame) in frames.all {
            lagged += offer(&mut listeners.all, &filter, frame);
        }
        self.counts.lagged.add(lagged);
    }

    /// Those of a group's chains that somebody listens to, and what those of all chains want.
    fn interest(&self, group: &Committed) -> Interest {
        let listeners = self.lock();
        let filters = listeners.all.keys().cloned().collect();
        if listeners.chains.is_empty() {
            return Interest { chains: HashSet::new(), filters };
        }
        let heard = |entry: &EntryRef<'_>| Some(Arc::clone(listeners.chains.get_key_value(entry.correlation_id)?.0));
        Interest { chains: group.new_entries().filter_map(|(_, entry)| heard(&entry)).collect(), filters }
    }

    /// Ends every subscription after what waits for it, and takes no more.
    pub(crate) fn close(&self) {
        let mut listeners = self.lock();
        listeners.closed = true;
        let chains = std::mem::take(&mut listeners.chains);
        let all = std::mem::take(&mut listeners.all);
        chains.values().chain(all.values()).flatten().for_each(|queue| queue.end());
    }

    fn lock(&self) -> MutexGuard<'_, Listeners> {
        // Each change under the lock leaves the maps whole, so a panic elsewhere does not spoil them.
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listeners {
    /// Who has not fetched what came before catches up from the store. What waits for them is given back. Gives how many
    /// they were.
    fn cut_off_who_is_behind(&mut self) -> u64 {
        let mut cut_off = 0;
        let mut keeps_up = |queues: &mut Vec<Arc<Queue>>| {
            cut_off += retain_counted(queues, |queue| !queue.cut_off_if_behind());
            !queues.is_empty()
        };
        self.chains.retain(|_, queues| keeps_up(queues));
        self.all.retain(|_, queues| keeps_up(queues));
        cut_off
    }
}

/// Offers a frame to those who listen to its subject. Who has no room for it is no listener any more; gives how many those
/// are.
fn offer<S: Hash + Eq>(listeners: &mut HashMap<S, Vec<Arc<Queue>>>, subject: &S, frame: Frame) -> u64 {
    let Some(queues) = listeners.get_mut(subject) else { return 0 };
    let frame = Arc::new(frame);
    let lagged = retain_counted(queues, |queue| queue.offer(&frame));
    if queues.is_empty() {
        listeners.remove(subject);
    }
    lagged
}

/// Keeps those that `keep` is for; gives how many were not kept.
fn retain_counted(queues: &mut Vec<Arc<Queue>>, keep: impl Fn(&Queue) -> bool) -> u64 {
    let before = queues.len();
    queues.retain(|queue| keep(queue));
    (before - queues.len()) as u64
}

/// What of a group somebody wants.
struct Interest {
    chains: HashSet<Arc<str>>,
    filters: Vec<Arc<Filter>>,
}

/// A group's events, for each subject that somebody listens to.
struct Frames {
    chains: Vec<(Arc<str>, Frame)>,
    all: Vec<(Arc<Filter>, Frame)>,
}

impl Frames {
    /// Each entry is written once, however many want it. A subject that nothing concerns has no frame, so that its
    /// listeners are not even woken.
    fn of(interest: &Interest, group: &Committed, kept_bytes: &KeptBytes) -> Self {
        let mut chains: HashMap<&Arc<str>, FrameBuilder> = HashMap::new();
        let mut all: Vec<FrameBuilder> = interest.filters.iter().map(|_| FrameBuilder::default()).collect();
        let mut json = Vec::new();
        for (id, entry) in group.new_entries() {
            json.clear();
            let mut pass_on = |builder: &mut FrameBuilder| {
                if json.is_empty() {
                    write_entry(&mut json, &entry);
                }
                builder.push_json(id, &json);
            };
            if let Some(chain) = interest.chains.get(entry.correlation_id) {
                pass_on(chains.entry(chain).or_default());
            }
            for (filter, builder) in interest.filters.iter().zip(&mut all) {
                if filter.wants(&entry) {
                    pass_on(builder);
                }
            }
        }
        let all = interest.filters.iter().zip(all).filter(|(_, builder)| builder.bytes() > 0);
        Self {
            chains: chains
                .into_iter()
                .map(|(chain, builder)| (Arc::clone(chain), builder.finish(kept_bytes)))
                .collect(),
            all: all.map(|(filter, builder)| (Arc::clone(filter), builder.finish(kept_bytes))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::web::Bytes;
    use tracehub_core::wire::ingest::IngestBatch;

    use super::*;

    fn chain(correlation_id: &str) -> Subject {
        Subject::Chain(correlation_id.into())
    }

    fn all() -> Subject {
        Subject::All(Arc::default())
    }

    fn commit(correlation_id: &str, id: i64) -> Committed {
        let body = format!(
            r#"{{"source_id":"MA","correlation_id":"{correlation_id}","timestamp":1,"suffix":"s","direction":"->","operation":"o","endpoint":"e"}}"#
        );
        let batch = IngestBatch::parse_single(body.into_bytes()).unwrap();
        Committed { batches: vec![batch], receipts: vec![Receipt { ids: vec![Some(EntryId(id))] }] }
    }

    #[tokio::test]
    async fn each_listener_gets_its_chain_and_no_other() {
        let hub = Arc::new(Hub::default());
        let mut wanted = hub.subscribe(chain("c1")).unwrap();
        let mut other = hub.subscribe(chain("c2")).unwrap();
        let mut all_chains = hub.subscribe(all()).unwrap();
        let prefix = Filter { prefix: Some("c3".to_owned()), ..Filter::default() };
        let mut some = hub.subscribe(Subject::All(Arc::new(prefix))).unwrap();
        hub.publish(&commit("c1", 7));
        hub.publish(&commit("c3", 8));
        hub.advance(&commit("c3", 8).receipts);
        assert_eq!(hub.subscribe(all()).unwrap().since, EntryId(8));
        hub.close();
        assert_eq!(wanted.next().await.unwrap().last(), EntryId(7));
        assert!(wanted.next().await.is_none());
        assert!(other.next().await.is_none());
        assert_eq!(all_chains.next().await.unwrap().last(), EntryId(7));
        let piece = all_chains.next().await.unwrap();
        let (text, events) = piece.after(EntryId(7));
        assert!(text.starts_with(b"id: 8\ndata: {") && events == 1);
        assert_eq!(piece.after(EntryId(8)), (Bytes::new(), 0));
        assert_eq!(some.next().await.unwrap().last(), EntryId(8), "it was not woken by the other");
        assert!(hub.subscribe(chain("c1")).is_none());
    }

    /// A group of one entry of some bytes.
    fn large(id: i64, bytes: usize) -> Committed {
        let group = commit(&"c".repeat(200), id);
        let text = "x".repeat(bytes);
        let body = format!(
            r#"{{"source_id":"MA","correlation_id":"c1","timestamp":1,"suffix":"s","direction":"->","operation":"o","endpoint":"e","raw_line":"{text}"}}"#
        );
        Committed { batches: vec![IngestBatch::parse_single(body.into_bytes()).unwrap()], ..group }
    }

    #[tokio::test]
    async fn when_too_much_is_kept_who_is_behind_is_cut_off() {
        const BYTES: usize = 1_000_000;
        let hub = Arc::new(Hub::default());
        let mut keeps_up = hub.subscribe(all()).unwrap();
        let stuck: Vec<Subscription> = (0..10).map(|_| hub.subscribe(all()).unwrap()).collect();
        let mut stuck_in_chain = hub.subscribe(chain("c1")).unwrap();
        for id in 1..=100 {
            hub.publish(&large(id, BYTES));
            assert_eq!(keeps_up.next().await.unwrap().last(), EntryId(id));
            assert!(hub.kept_bytes.get() <= MAX_KEPT_BYTES + 2 * BYTES);
        }
        assert_eq!(hub.lock().all.values().map(Vec::len).sum::<usize>(), 1);
        assert!(hub.lock().chains.is_empty(), "nobody pays for events that nobody gets");
        let (cut_off, lagged) = (hub.counts().cut_off.get(), hub.counts().lagged.get());
        assert_eq!(cut_off + lagged, 11, "{cut_off} when too much was kept, {lagged} when too much waited");
        while stuck_in_chain.next().await.is_some() {}
        drop(stuck);
        keeps_up.queue.cut_off_if_behind();
        assert_eq!(hub.kept_bytes.get(), 0);
    }

    #[test]
    fn a_dropped_subscription_leaves_nothing_behind() {
        let hub = Arc::new(Hub::default());
        let first = hub.subscribe(chain("c1")).unwrap();
        let second = hub.subscribe(chain("c1")).unwrap();
        let third = hub.subscribe(all()).unwrap();
        drop(first);
        assert_eq!(hub.lock().chains.values().map(Vec::len).sum::<usize>(), 1);
        drop((second, third));
        assert!(hub.lock().chains.is_empty() && hub.lock().all.is_empty());
    }
}
