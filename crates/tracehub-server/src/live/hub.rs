//! Fan-out: what was committed goes to those who listen. Nobody is waited for.
//!
//! A listener that does not keep up loses its subscription, not entries: it notices, subscribes again and catches up
//! from the store.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tracehub_core::EntryRef;
use tracehub_core::store::EntryId;

use super::frame::{Committed, Frame, FrameBuilder};
use super::subject::{Filter, Subject};

/// The frames that may wait for one listener before it has to catch up from the store.
const MAX_WAITING_FRAMES: usize = 64;
/// The bytes that may wait for one listener. They are shared with others, so all together keep far less.
const MAX_WAITING_BYTES: usize = 1 << 20;

/// Who listens to what.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    listeners: Mutex<Listeners>,
}

#[derive(Debug, Default)]
struct Listeners {
    chains: HashMap<Arc<str>, Vec<Listener>>,
    /// Those of all chains, with what they want of them.
    all: Vec<(Arc<Filter>, Listener)>,
    /// The newest entry that was published.
    newest: EntryId,
    next_key: u64,
    closed: bool,
}

#[derive(Debug)]
struct Listener {
    key: u64,
    frames: mpsc::Sender<Arc<Frame>>,
    waiting_bytes: Arc<AtomicUsize>,
}

impl Listener {
    /// Passes a frame on, unless too much waits already: that ends the subscription after what waits.
    fn offer(&self, frame: &Arc<Frame>) -> bool {
        let waiting = self.waiting_bytes.fetch_add(frame.bytes(), Ordering::Relaxed);
        // One frame always fits, however large: otherwise its listener could never go on.
        (waiting == 0 || waiting + frame.bytes() <= MAX_WAITING_BYTES)
            && self.frames.try_send(Arc::clone(frame)).is_ok()
    }
}

/// The listening end. Dropping it ends the subscription.
#[derive(Debug)]
pub(crate) struct Subscription {
    hub: Arc<Hub>,
    subject: Subject,
    key: u64,
    frames: mpsc::Receiver<Arc<Frame>>,
    waiting_bytes: Arc<AtomicUsize>,
    /// The newest entry when it began: what is newer comes by it.
    pub(crate) since: EntryId,
}

impl Subscription {
    /// The next frame; none when this listener fell behind, or the hub was closed.
    pub(crate) async fn next(&mut self) -> Option<Arc<Frame>> {
        let frame = self.frames.recv().await?;
        self.waiting_bytes.fetch_sub(frame.bytes(), Ordering::Relaxed);
        Some(frame)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut listeners = self.hub.lock();
        let Subject::Chain(correlation_id) = &self.subject else {
            return listeners.all.retain(|(_, listener)| listener.key != self.key);
        };
        if let Some(chain) = listeners.chains.get_mut(correlation_id) {
            chain.retain(|listener| listener.key != self.key);
            if chain.is_empty() {
                listeners.chains.remove(correlation_id);
            }
        }
    }
}

impl Hub {
    /// A hub of a store whose newest entry is this.
    pub(crate) fn new(newest: EntryId) -> Self {
        Self { listeners: Mutex::new(Listeners { newest, ..Listeners::default() }) }
    }

    /// Listens from now on; none when the hub was closed.
    pub(crate) fn subscribe(self: &Arc<Self>, subject: Subject) -> Option<Subscription> {
        let (sender, frames) = mpsc::channel(MAX_WAITING_FRAMES);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let mut listeners = self.lock();
        if listeners.closed {
            return None;
        }
        let key = listeners.next_key;
        listeners.next_key += 1;
        let listener = Listener { key, frames: sender, waiting_bytes: Arc::clone(&waiting_bytes) };
        match &subject {
            Subject::Chain(id) => listeners.chains.entry(Arc::clone(id)).or_default().push(listener),
            Subject::All(filter) => listeners.all.push((Arc::clone(filter), listener)),
        }
        Some(Subscription { hub: Arc::clone(self), subject, key, frames, waiting_bytes, since: listeners.newest })
    }

    /// Passes on what was new in a committed group. Nobody is waited for, and events are written while nobody is kept
    /// waiting for the lock.
    ///
    /// The lock is taken after the commit, and a listener takes it before it reads the store. So an entry is either in
    /// what the listener reads or in what it is sent, whichever of the two comes first. Who comes while events are
    /// written knows this group as the newest already, and finds it in the store.
    pub(crate) fn publish(&self, group: Committed) {
        let (chains, filters) = self.interest(&group);
        let chains = chain_frames(&chains, &group);
        let wants_some =
            |filter: &Arc<Filter>| filter.wants_all() || group.new_entries().any(|(_, entry)| filter.wants(&entry));
        let filters: HashSet<Arc<Filter>> = filters.into_iter().filter(wants_some).collect();
        // Those of all chains whom nothing concerns are not even woken.
        let all = if filters.is_empty() { None } else { frame_of_all(group) };
        if chains.is_empty() && all.is_none() {
            return;
        }
        let mut listeners = self.lock();
        for (correlation_id, frame) in &chains {
            if let Some(chain) = listeners.chains.get_mut(correlation_id) {
                chain.retain(|listener| listener.offer(frame));
            }
        }
        if let Some(frame) = all {
            listeners.all.retain(|(filter, listener)| !filters.contains(filter) || listener.offer(&frame));
        }
    }

    /// Makes a group the newest; gives those of its chains that somebody listens to, and what those of all chains want.
    fn interest(&self, group: &Committed) -> (HashSet<Arc<str>>, HashSet<Arc<Filter>>) {
        let mut listeners = self.lock();
        let mut ids = group.receipts.iter().rev().flat_map(|receipt| receipt.ids.iter().rev());
        if let Some(newest) = ids.find_map(|id| *id) {
            listeners.newest = newest;
        }
        let filters = listeners.all.iter().map(|(filter, _)| Arc::clone(filter)).collect();
        if listeners.chains.is_empty() {
            return (HashSet::new(), filters);
        }
        let heard = |entry: &EntryRef<'_>| Some(Arc::clone(listeners.chains.get_key_value(entry.correlation_id)?.0));
        (group.new_entries().filter_map(|(_, entry)| heard(&entry)).collect(), filters)
    }

    /// Ends every subscription and takes no more.
    pub(crate) fn close(&self) {
        let mut listeners = self.lock();
        listeners.closed = true;
        listeners.chains.clear();
        listeners.all.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Listeners> {
        // Each change under the lock leaves the maps whole, so a panic elsewhere does not spoil them.
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For each of the chains, what is new in it.
fn chain_frames(chains: &HashSet<Arc<str>>, group: &Committed) -> HashMap<Arc<str>, Arc<Frame>> {
    if chains.is_empty() {
        return HashMap::new();
    }
    let mut frames: HashMap<Arc<str>, FrameBuilder> = HashMap::new();
    for (id, entry) in group.new_entries() {
        if let Some(chain) = chains.get(entry.correlation_id) {
            frames.entry(Arc::clone(chain)).or_default().push(id, &entry);
        }
    }
    frames.into_iter().map(|(chain, builder)| (chain, Arc::new(builder.finish(None)))).collect()
}

/// Everything that is new, with the entries to filter it by; none if nothing is.
fn frame_of_all(group: Committed) -> Option<Arc<Frame>> {
    let mut builder = FrameBuilder::default();
    for (id, entry) in group.new_entries() {
        builder.push(id, &entry);
    }
    (builder.bytes() > 0).then(|| Arc::new(builder.finish(Some(Arc::new(group)))))
}

#[cfg(test)]
mod tests {
    use tracehub_core::store::Receipt;
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
        hub.publish(commit("c1", 7));
        hub.publish(commit("c3", 8));
        assert_eq!(hub.subscribe(all()).unwrap().since, EntryId(8));
        hub.close();
        assert_eq!(wanted.next().await.unwrap().last(), Some(EntryId(7)));
        assert!(wanted.next().await.is_none());
        assert!(other.next().await.is_none());
        assert_eq!(all_chains.next().await.unwrap().last(), Some(EntryId(7)));
        let frame = all_chains.next().await.unwrap();
        assert!(frame.wanted(EntryId(7), |entry| entry.correlation_id == "c3").starts_with(b"id: 8\ndata: {"));
        assert!(frame.wanted(EntryId(8), |_| true).is_empty());
        assert!(frame.wanted(EntryId(7), |_| false).is_empty());
        assert_eq!(some.next().await.unwrap().last(), Some(EntryId(8)), "it was not woken by the other");
        assert!(hub.subscribe(chain("c1")).is_none());
    }

    #[tokio::test]
    async fn a_slow_listener_loses_its_subscription_after_what_it_holds() {
        let hub = Arc::new(Hub::default());
        for subject in [chain("c1"), all()] {
            let mut slow = hub.subscribe(subject).unwrap();
            for id in 1..=100 {
                hub.publish(commit("c1", id));
            }
            let mut held = 0;
            while slow.next().await.is_some() {
                held += 1;
            }
            assert_eq!(held, MAX_WAITING_FRAMES);
        }
        assert!(hub.subscribe(chain("c1")).is_some());
    }

    #[test]
    fn a_dropped_subscription_leaves_nothing_behind() {
        let hub = Arc::new(Hub::default());
        let first = hub.subscribe(chain("c1")).unwrap();
        let second = hub.subscribe(chain("c1")).unwrap();
        let third = hub.subscribe(all()).unwrap();
        drop(first);
        assert_eq!(hub.lock().chains["c1"].len(), 1);
        drop((second, third));
        assert!(hub.lock().chains.is_empty() && hub.lock().all.is_empty());
    }
}
