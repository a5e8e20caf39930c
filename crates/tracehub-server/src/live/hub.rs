//! Fan-out: what was committed goes to those who listen. Nobody is waited for.
//!
//! A listener that does not keep up loses its subscription, not entries: it notices, subscribes again and catches up
//! from the store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tracehub_core::store::EntryId;

use super::frame::{Committed, Frame, FrameBuilder};

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
    all: Vec<Listener>,
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
    /// The chain; none for all.
    correlation_id: Option<Arc<str>>,
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
        let Some(correlation_id) = &self.correlation_id else {
            return listeners.all.retain(|listener| listener.key != self.key);
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

    /// Listens to a chain, or to all, from now on; none when the hub was closed.
    pub(crate) fn subscribe(self: &Arc<Self>, correlation_id: Option<&Arc<str>>) -> Option<Subscription> {
        let (sender, frames) = mpsc::channel(MAX_WAITING_FRAMES);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let mut listeners = self.lock();
        if listeners.closed {
            return None;
        }
        let key = listeners.next_key;
        listeners.next_key += 1;
        let listener = Listener { key, frames: sender, waiting_bytes: Arc::clone(&waiting_bytes) };
        match correlation_id {
            Some(id) => listeners.chains.entry(Arc::clone(id)).or_default().push(listener),
            None => listeners.all.push(listener),
        }
        let (hub, correlation_id, since) = (Arc::clone(self), correlation_id.cloned(), listeners.newest);
        Some(Subscription { hub, correlation_id, key, frames, waiting_bytes, since })
    }

    /// Passes on what was new in a committed group. Never blocks.
    ///
    /// The lock is taken after the commit, and a listener takes it before it reads the store. So an entry is either in
    /// what the listener reads or in what it is sent, whichever of the two comes first.
    pub(crate) fn publish(&self, group: Committed) {
        let mut listeners = self.lock();
        let listeners = &mut *listeners;
        if let Some(newest) =
            group.receipts.iter().rev().flat_map(|receipt| receipt.ids.iter().rev()).find_map(|id| *id)
        {
            listeners.newest = newest;
        }
        if !listeners.chains.is_empty() {
            publish_chains(&mut listeners.chains, &group);
        }
        if !listeners.all.is_empty() {
            let mut builder = FrameBuilder::default();
            for (id, entry) in group.new_entries() {
                builder.push(id, &entry);
            }
            if builder.bytes() > 0 {
                let frame = Arc::new(builder.finish(Some(Arc::new(group))));
                listeners.all.retain(|listener| listener.offer(&frame));
            }
        }
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

fn publish_chains(chains: &mut HashMap<Arc<str>, Vec<Listener>>, group: &Committed) {
    let mut frames: HashMap<&str, FrameBuilder> = HashMap::new();
    for (id, entry) in group.new_entries() {
        if chains.contains_key(entry.correlation_id) {
            frames.entry(entry.correlation_id).or_default().push(id, &entry);
        }
    }
    for (correlation_id, builder) in frames {
        let frame = Arc::new(builder.finish(None));
        if let Some(chain) = chains.get_mut(correlation_id) {
            chain.retain(|listener| listener.offer(&frame));
        }
    }
}

#[cfg(test)]
mod tests {
    use tracehub_core::store::Receipt;
    use tracehub_core::wire::ingest::IngestBatch;

    use super::*;

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
        let mut wanted = hub.subscribe(Some(&"c1".into())).unwrap();
        let mut other = hub.subscribe(Some(&"c2".into())).unwrap();
        let mut all = hub.subscribe(None).unwrap();
        hub.publish(commit("c1", 7));
        hub.publish(commit("c3", 8));
        assert_eq!(hub.subscribe(None).unwrap().since, EntryId(8));
        hub.close();
        assert_eq!(wanted.next().await.unwrap().last(), Some(EntryId(7)));
        assert!(wanted.next().await.is_none());
        assert!(other.next().await.is_none());
        assert_eq!(all.next().await.unwrap().last(), Some(EntryId(7)));
        let frame = all.next().await.unwrap();
        assert!(frame.wanted(EntryId(7), |entry| entry.correlation_id == "c3").starts_with(b"id: 8\ndata: {"));
        assert!(frame.wanted(EntryId(8), |_| true).is_empty());
        assert!(frame.wanted(EntryId(7), |_| false).is_empty());
        assert!(hub.subscribe(Some(&"c1".into())).is_none());
    }

    #[tokio::test]
    async fn a_slow_listener_loses_its_subscription_after_what_it_holds() {
        let hub = Arc::new(Hub::default());
        for chain in [Some(Arc::from("c1")), None] {
            let mut slow = hub.subscribe(chain.as_ref()).unwrap();
            for id in 1..=100 {
                hub.publish(commit("c1", id));
            }
            let mut held = 0;
            while slow.next().await.is_some() {
                held += 1;
            }
            assert_eq!(held, MAX_WAITING_FRAMES);
        }
        assert!(hub.subscribe(Some(&"c1".into())).is_some());
    }

    #[test]
    fn a_dropped_subscription_leaves_nothing_behind() {
        let hub = Arc::new(Hub::default());
        let first = hub.subscribe(Some(&"c1".into())).unwrap();
        let second = hub.subscribe(Some(&"c1".into())).unwrap();
        let all = hub.subscribe(None).unwrap();
        drop(first);
        assert_eq!(hub.lock().chains["c1"].len(), 1);
        drop((second, all));
        assert!(hub.lock().chains.is_empty() && hub.lock().all.is_empty());
    }
}
