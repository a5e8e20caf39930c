//! One listener's stream: history, then live, in commit order, with nothing between them lost or repeated.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::time::{Instant, timeout};
use tracehub_core::store::EntryId;

use super::admission::Admitted;
use super::frame::{self, FrameBuilder};
use super::hub::{Hub, Subscription};
use super::subject::Subject;
use crate::error::ApiError;
use crate::reader::Reader;
use crate::state::State;

/// Entries read from the store at once, and bytes after which that ends early: what one listener holds in memory.
const ENTRIES_PER_READ: usize = 256;
const BYTES_PER_READ: usize = 64 << 10;
/// Entries of a chain between two looks at how many bytes there are.
const ENTRIES_PER_LOOK_AT_BYTES: usize = 16;
/// Entries of all chains looked at in one read, wanted or not.
const ENTRIES_PER_LOOK: u32 = 5_000;
/// How long a stream may be silent while it looks at what is stored: half of how long clients wait for that by default.
const LOOKING_KEEPALIVE: Duration = Duration::from_secs(5);
/// The longest a stream runs, whatever was asked for: beyond it a clock's arithmetic would overflow.
const MAX_TIMEOUT: Duration = Duration::from_hours(365 * 24);

/// How a stream runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course {
    /// Where it begins: after this entry; without one, now.
    pub(crate) after: Option<EntryId>,
    /// When it ends by itself.
    pub(crate) timeout: Duration,
    /// How long it may be silent.
    pub(crate) keepalive: Duration,
}

/// Entries as events, until the time is up, the server stops, or the store fails. `admitted` is its place among the
/// streams; it is given back when the stream is dropped.
pub(crate) fn events(
    state: &State,
    subject: Subject,
    course: Course,
    admitted: Admitted,
) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
    let listener = Listener {
        reader: state.reader.clone(),
        hub: Arc::clone(&state.hub),
        subject,
        cursor: course.after,
        subscription: None,
        missed: Missed::Unknown,
        ready: VecDeque::new(),
        deadline: Instant::now() + course.timeout.min(MAX_TIMEOUT),
        keepalive: course.keepalive,
        spoke: Instant::now(),
        ended: false,
        _admitted: admitted,
    };
    unfold(listener, |mut listener| async move { listener.next().await.map(|bytes| (Ok(bytes), listener)) })
}

struct Listener {
    reader: Reader,
    hub: Arc<Hub>,
    subject: Subject,
    /// The last entry that was sent, made ready or passed over.
    cursor: Option<EntryId>,
    /// Where live entries come from. None at first, and after this listener fell behind.
    subscription: Option<Subscription>,
    missed: Missed,
    /// Bytes to send.
    ready: VecDeque<Bytes>,
    deadline: Instant,
    keepalive: Duration,
    /// When bytes were handed over last.
    spoke: Instant,
    ended: bool,
    _admitted: Admitted,
}

/// What is to be read from the store before live goes on.
enum Missed {
    /// Nobody has looked yet.
    Unknown,
    /// Of a chain, these.
    Entries(VecDeque<EntryId>),
    /// Nothing more.
    Nothing,
}

impl Listener {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                self.spoke = Instant::now();
                return Some(bytes);
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
        let Some(subscription) = &mut self.subscription else {
            self.subscribe();
            return Ok(());
        };
        match &mut self.missed {
            Missed::Nothing => {}
            Missed::Unknown => return self.look().await,
            Missed::Entries(ids) if ids.is_empty() => {
                self.missed = Missed::Nothing;
                return Ok(());
            }
            Missed::Entries(_) => return self.read_missed().await,
        }
        if Instant::now() >= self.deadline {
            self.end(frame::timeout());
            return Ok(());
        }
        let patience = self.keepalive.min(self.deadline.saturating_duration_since(Instant::now()));
        match timeout(patience, subscription.next()).await {
            Ok(Some(piece)) => {
                let (text, events) = piece.after(self.cursor.unwrap_or(EntryId::ZERO));
                self.cursor = self.cursor.max(Some(piece.last()));
                self.make_ready([text], events);
            }
            Ok(None) => self.subscription = None,
            // At the end of its time too, as the original does.
            Err(_) => self.ready.push_back(frame::keepalive()),
        }
        Ok(())
    }

    /// Listens first and looks at the store then, so that no entry can fall between the two.
    fn subscribe(&mut self) {
        let Some(subscription) = self.hub.subscribe(self.subject.clone()) else {
            self.end(frame::shutdown());
            return;
        };
        // Who does not say where to begin begins now. Everyone else looks, even where the hub knows of nothing newer: what
        // was committed a moment ago may be acknowledged and not published yet.
        self.missed = if self.cursor.is_none() { Missed::Nothing } else { Missed::Unknown };
        self.cursor.get_or_insert(subscription.since);
        self.subscription = Some(subscription);
    }

    /// Finds out what was missed.
    async fn look(&mut self) -> Result<(), ApiError> {
        let after = self.cursor.unwrap_or(EntryId::ZERO);
        match self.subject.clone() {
            Subject::Chain(correlation_id) => {
                let ids = self.reader.query(move |store| store.chain_entry_ids(&correlation_id, after)).await?;
                self.missed = Missed::Entries(ids.into());
            }
            Subject::All(filter) => {
                let read = self.reader.query(move |store| {
                    let mut builder = FrameBuilder::default();
                    let last = store.entries_after(after, ENTRIES_PER_LOOK, &mut |id, entry| {
                        if filter.wants(entry) {
                            builder.push(id, entry);
                        }
                        builder.bytes() < BYTES_PER_READ
                    })?;
                    Ok((builder.into_texts(), last))
                });
                let ((texts, events), last) = read.await?;
                match last {
                    Some(last) => self.cursor = Some(last),
                    None => self.missed = Missed::Nothing,
                }
                self.make_ready(texts, events);
                // Much may be looked at that is not wanted, and who hears nothing for too long takes the connection for dead.
                if self.ready.is_empty() && self.spoke.elapsed() >= self.keepalive.min(LOOKING_KEEPALIVE) {
                    self.ready.push_back(frame::keepalive());
                }
            }
        }
        Ok(())
    }

    /// Reads the next of a chain's entries that were missed.
    async fn read_missed(&mut self) -> Result<(), ApiError> {
        let (Missed::Entries(missed), Subject::Chain(correlation_id)) = (&mut self.missed, &self.subject) else {
            return Ok(());
        };
        let ids: Vec<EntryId> = missed.iter().take(ENTRIES_PER_READ).copied().collect();
        let correlation_id = Arc::clone(correlation_id);
        let read = self.reader.query(move |store| {
            let mut builder = FrameBuilder::default();
            let mut last = None;
            for few in ids.chunks(ENTRIES_PER_LOOK_AT_BYTES) {
                if builder.bytes() >= BYTES_PER_READ {
                    break;
                }
                store.entries(&correlation_id, few, &mut |id, entry| builder.push(id, entry))?;
                last = few.last().copied();
            }
            Ok((builder.into_texts(), last))
        });
        let ((texts, events), last) = read.await?;
        while missed.front().is_some_and(|id| Some(*id) <= last) {
            missed.pop_front();
        }
        self.cursor = self.cursor.max(last);
        self.make_ready(texts, events);
        Ok(())
    }

    /// What is handed over at once is copied for the connection: little, so that a stuck one keeps little.
    fn make_ready(&mut self, texts: impl IntoIterator<Item = Bytes>, events: u64) {
        self.hub.counts().events.add(events);
        for mut text in texts {
            while !text.is_empty() {
                self.ready.push_back(text.split_to(text.len().min(frame::PIECE_BYTES)));
            }
        }
    }

    fn end(&mut self, last: Bytes) {
        self.ready.push_back(last);
        self.ended = true;
    }
}
