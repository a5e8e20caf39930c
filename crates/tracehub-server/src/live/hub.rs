//! Fan-out: what was committed goes to those who listen to its chain. Nobody is waited for.
//!
//! A listener that does not keep up loses its subscription, not entries: it notices, subscribes again and catches up
//! from the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytestring::ByteString;
use tokio::sync::mpsc;
use tracehub_core::EntryRef;
use tracehub_core::store::{EntryId, Receipt};
use tracehub_core::wire::ingest::IngestBatch;
use tracehub_core::wire::read::write_entry;

/// The groups that may wait for one listener before it has to catch up from the store.
const MAX_WAITING_FRAMES: usize = 64;

/// The entries of one chain that one group has committed, in order. Made once, shared by all who listen.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    pub(crate) entries: Vec<(EntryId, ByteString)>,
}

/// Who listens to which chain.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    listeners: Mutex<Listeners>,
}

#[derive(Debug, Default)]
struct Listeners {
    chains: HashMap<Arc<str>, Vec<Listener>>,
    next_key: u64,
    closed: bool,
}

#[derive(Debug)]
struct Listener {
    key: u64,
    frames: mpsc::Sender<Arc<Frame>>,
}

/// The listening end. Dropping it ends the subscription.
#[derive(Debug)]
pub(crate) struct Subscription {
    hub: Arc<Hub>,
    correlation_id: Arc<str>,
    key: u64,
    frames: mpsc::Receiver<Arc<Frame>>,
}

impl Subscription {
    /// The next frame; none when this listener fell behind, or the hub was closed.
    pub(crate) async fn next(&mut self) -> Option<Arc<Frame>> {
        self.frames.recv().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut listeners = self.hub.lock();
        if let Some(chain) = listeners.chains.get_mut(&self.correlation_id) {
            chain.retain(|listener| listener.key != self.key);
            if chain.is_empty() {
                listeners.chains.remove(&self.correlation_id);
            }
        }
    }
}

impl Hub {
    /// Listens to a chain from now on; none when the hub was closed.
    pub(crate) fn subscribe(self: &Arc<Self>, correlation_id: &str) -> Option<Subscription> {
        let (sender, frames) = mpsc::channel(MAX_WAITING_FRAMES);
        let mut listeners = self.lock();
        if listeners.closed {
            return None;
        }
        let key = listeners.next_key;
        listeners.next_key += 1;
        let correlation_id: Arc<str> = correlation_id.into();
        let listener = Listener { key, frames: sender };
        listeners.chains.entry(Arc::clone(&correlation_id)).or_default().push(listener);
        Some(Subscription { hub: Arc::clone(self), correlation_id, key, frames })
    }

    /// Passes on what was new in committed batches. Never blocks.
    ///
    /// The lock is taken after the commit, and a listener takes it before it reads the store. So an entry is either in
    /// what the listener reads or in what it is sent, whichever of the two comes first.
    pub(crate) fn publish(&self, batches: &[IngestBatch], receipts: &[Receipt]) {
        let mut listeners = self.lock();
        if listeners.chains.is_empty() {
            return;
        }
        let mut frames: HashMap<&str, Frame> = HashMap::new();
        for (batch, receipt) in batches.iter().zip(receipts) {
            for (entry, id) in batch.entries().zip(&receipt.ids) {
                if let Some(id) = id
                    && listeners.chains.contains_key(entry.correlation_id)
                {
                    frames.entry(entry.correlation_id).or_default().entries.push((*id, entry_json(&entry)));
                }
            }
        }
        for (correlation_id, frame) in frames {
            let frame = Arc::new(frame);
            if let Some(chain) = listeners.chains.get_mut(correlation_id) {
                // A full channel drops its listener, whose receiver then ends after what it holds.
                chain.retain(|listener| listener.frames.try_send(Arc::clone(&frame)).is_ok());
            }
        }
    }

    /// Ends every subscription and takes no more.
    pub(crate) fn close(&self) {
        let mut listeners = self.lock();
        listeners.closed = true;
        listeners.chains.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Listeners> {
        // Each change under the lock leaves the map whole, so a panic elsewhere does not spoil it.
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An entry's JSON as the text of an event.
pub(crate) fn entry_json(entry: &EntryRef<'_>) -> ByteString {
    let mut json = Vec::with_capacity(256);
    write_entry(&mut json, entry);
    // What is written from strings is UTF-8; an empty event would be the lesser evil.
    ByteString::try_from(json).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tracehub_core::store::EntryId;

    use super::*;

    fn commit(correlation_id: &str, id: i64) -> (Vec<IngestBatch>, Vec<Receipt>) {
        let body = format!(
            r#"{{"source_id":"MA","correlation_id":"{correlation_id}","timestamp":1,"suffix":"s","direction":"->","operation":"o","endpoint":"e"}}"#
        );
        let batch = IngestBatch::parse_single(body.into_bytes()).unwrap();
        (vec![batch], vec![Receipt { ids: vec![Some(EntryId(id))] }])
    }

    #[tokio::test]
    async fn each_listener_gets_its_chain_and_no_other() {
        let hub = Arc::new(Hub::default());
        let mut wanted = hub.subscribe("c1").unwrap();
        let mut other = hub.subscribe("c2").unwrap();
        let (batches, receipts) = commit("c1", 7);
        hub.publish(&batches, &receipts);
        hub.close();
        assert_eq!(wanted.next().await.unwrap().entries[0].0, EntryId(7));
        assert!(wanted.next().await.is_none());
        assert!(other.next().await.is_none());
        assert!(hub.subscribe("c1").is_none());
    }

    #[tokio::test]
    async fn a_slow_listener_loses_its_subscription_after_what_it_holds() {
        let hub = Arc::new(Hub::default());
        let mut slow = hub.subscribe("c1").unwrap();
        for id in 1..=100 {
            let (batches, receipts) = commit("c1", id);
            hub.publish(&batches, &receipts);
        }
        let mut held = 0;
        while slow.next().await.is_some() {
            held += 1;
        }
        assert_eq!(held, MAX_WAITING_FRAMES);
        assert!(hub.subscribe("c1").is_some());
    }

    #[test]
    fn a_dropped_subscription_leaves_nothing_behind() {
        let hub = Arc::new(Hub::default());
        let first = hub.subscribe("c1").unwrap();
        let second = hub.subscribe("c1").unwrap();
        drop(first);
        assert_eq!(hub.lock().chains["c1"].len(), 1);
        drop(second);
        assert!(hub.lock().chains.is_empty());
    }
}
