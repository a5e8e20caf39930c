//! One listener's stream: history, then live, in commit order, with nothing between them lost or repeated.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix_web_lab::sse::{Data, Event};
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::time::{Instant, timeout};
use tracehub_core::store::EntryId;
use tracehub_core::wire::live::{KEEPALIVE_COMMENT, SHUTDOWN_EVENT, TIMEOUT_MESSAGE};

use super::hub::{Hub, Subscription, entry_json};
use crate::error::ApiError;
use crate::reader::Reader;
use crate::state::State;

/// How long a stream may be silent. The original's second: some clients take their own time-out from it.
const KEEPALIVE: Duration = Duration::from_secs(1);
/// Entries read from the store at once: the most that one listener holds in memory.
const ENTRIES_PER_READ: usize = 64;
/// The longest a stream runs, whatever was asked for: beyond it a clock's arithmetic would overflow.
const MAX_TIMEOUT: Duration = Duration::from_hours(365 * 24);

/// A chain's entries after `after` as events, until `timeout` has passed, the server stops, or the store fails.
pub(crate) fn chain(
    state: &State,
    correlation_id: String,
    after: EntryId,
    timeout: Duration,
) -> impl Stream<Item = Event> + use<> {
    let listener = Listener {
        reader: state.reader.clone(),
        hub: Arc::clone(&state.hub),
        correlation_id: correlation_id.into(),
        cursor: after,
        subscription: None,
        missed: VecDeque::new(),
        ready: VecDeque::new(),
        deadline: Instant::now() + timeout.min(MAX_TIMEOUT),
        ended: false,
    };
    unfold(listener, |mut listener| async move { listener.next().await.map(|event| (event, listener)) })
}

struct Listener {
    reader: Reader,
    hub: Arc<Hub>,
    correlation_id: Arc<str>,
    /// The last entry that was sent or made ready.
    cursor: EntryId,
    /// Where live entries come from. None at first, and after this listener fell behind.
    subscription: Option<Subscription>,
    /// Entries to read from the store before live goes on.
    missed: VecDeque<EntryId>,
    /// Events to send.
    ready: VecDeque<Event>,
    deadline: Instant,
    ended: bool,
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            if let Err(err) = self.step().await {
                // The answer has begun, so there is no status to send. The client sees an end without its last event
                // and comes again with the id of the last entry it got.
                tracing::warn!(error = %err, "a live stream ends early");
                return None;
            }
        }
    }

    async fn step(&mut self) -> Result<(), ApiError> {
        if !self.missed.is_empty() {
            return self.read_missed().await;
        }
        let Some(subscription) = &mut self.subscription else {
            return self.subscribe().await;
        };
        if Instant::now() >= self.deadline {
            self.end(Data::new(TIMEOUT_MESSAGE));
            return Ok(());
        }
        match timeout(KEEPALIVE, subscription.next()).await {
            Ok(Some(frame)) => {
                for (id, json) in &frame.entries {
                    if *id > self.cursor {
                        self.cursor = *id;
                        self.ready.push_back(entry_event(*id, json.clone()));
                    }
                }
            }
            Ok(None) => self.subscription = None,
            Err(_) => self.ready.push_back(Event::Comment(KEEPALIVE_COMMENT.into())),
        }
        Ok(())
    }

    /// Listens first and looks at the store then, so that no entry can fall between the two.
    async fn subscribe(&mut self) -> Result<(), ApiError> {
        let Some(subscription) = self.hub.subscribe(&self.correlation_id) else {
            self.end(Data::new(TIMEOUT_MESSAGE).event(SHUTDOWN_EVENT));
            return Ok(());
        };
        self.subscription = Some(subscription);
        let (correlation_id, after) = (Arc::clone(&self.correlation_id), self.cursor);
        self.missed = self.reader.query(move |store| store.chain_entry_ids(&correlation_id, after)).await?.into();
        Ok(())
    }

    async fn read_missed(&mut self) -> Result<(), ApiError> {
        let count = self.missed.len().min(ENTRIES_PER_READ);
        let ids: Vec<EntryId> = self.missed.drain(..count).collect();
        if let Some(&last) = ids.last() {
            self.cursor = last;
        }
        let correlation_id = Arc::clone(&self.correlation_id);
        self.ready = self
            .reader
            .query(move |store| {
                let mut events = VecDeque::with_capacity(ids.len());
                store.entries(&correlation_id, &ids, &mut |id, entry| {
                    events.push_back(entry_event(id, entry_json(entry)));
                })?;
                Ok(events)
            })
            .await?;
        Ok(())
    }

    fn end(&mut self, last: Data) {
        self.ready.push_back(last.into());
        self.ended = true;
    }
}

fn entry_event(id: EntryId, json: bytestring::ByteString) -> Event {
    Data::new(json).id(id.to_string()).into()
}
