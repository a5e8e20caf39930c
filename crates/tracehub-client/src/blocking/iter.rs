//! Streams and pages as blocking iterators: each step runs on the asker's thread, and nothing is read ahead.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tracehub_core::wire::read::CorrelationsAnswer;

use super::thread::{Answer, Asker};
use crate::error::QueryError;
use crate::events::StreamEvent;
use crate::query::CorrelationPages;
use crate::resume::{ResumeEvent, ResumingStream};
use crate::stream::TraceStream;

/// What brings one thing after the other: [`TraceStream`], [`ResumingStream`], [`CorrelationPages`].
pub trait Source: Send + Sized + 'static {
    /// What it brings.
    type Event: Send + 'static;

    /// The next one, or none at the end.
    fn step(&mut self) -> impl Future<Output = Option<Result<Self::Event, QueryError>>> + Send;
}

impl Source for TraceStream {
    type Event = StreamEvent;

    async fn step(&mut self) -> Option<Result<StreamEvent, QueryError>> {
        self.next().await
    }
}

impl Source for ResumingStream {
    type Event = ResumeEvent;

    async fn step(&mut self) -> Option<Result<ResumeEvent, QueryError>> {
        self.next().await
    }
}

impl Source for CorrelationPages {
    type Event = CorrelationsAnswer;

    async fn step(&mut self) -> Option<Result<CorrelationsAnswer, QueryError>> {
        self.next().await
    }
}

/// A blocking iterator over a stream or over pages. `next` blocks until something comes, which may be for ever;
/// [`next_within`](Self::next_within) comes back. Dropping it closes the connection.
///
/// ```no_run
/// use std::time::Duration;
/// use tracehub_client::blocking::{TraceHubQueryClient, Within};
/// use tracehub_client::{ResumeEvent, StreamFilter};
///
/// let client = TraceHubQueryClient::new("http://127.0.0.1:8099")?;
/// let mut events = client.follow(&StreamFilter::new());
/// loop {
///     match events.next_within(Duration::from_secs(1)) {
///         Within::Item(event) => {
///             if let ResumeEvent::Entry { entry, .. } = event? {
///                 assert!(!entry.correlation_id().is_empty());
///             }
///         }
///         Within::Waiting => {} // A moment to look whether the program shall end.
///         Within::Ended => break,
///     }
/// }
/// # Ok::<(), tracehub_client::QueryError>(())
/// ```
#[must_use = "nothing comes before it is asked"]
pub struct Iter<S: Source> {
    asker: Arc<Asker>,
    turn: Turn<S>,
}

type Step<S> = (S, Option<Result<<S as Source>::Event, QueryError>>);

/// Who has the stream.
enum Turn<S: Source> {
    Caller(S),
    Thread(Answer<Step<S>>),
    Ended,
}

/// What came within a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Within<T> {
    /// The next item.
    Item(T),
    /// Nothing yet.
    Waiting,
    /// Nothing will come any more.
    Ended,
}

impl<S: Source> Iter<S> {
    pub(super) fn new(asker: Arc<Asker>, source: S) -> Self {
        Self { asker, turn: Turn::Caller(source) }
    }

    /// The next item, if it comes within this time. Nothing is lost otherwise: the next call goes on waiting for it.
    pub fn next_within(&mut self, wait: Duration) -> Within<Result<S::Event, QueryError>> {
        self.step(|answer| answer.wait_for(wait))
    }

    fn step(
        &mut self,
        wait: impl FnOnce(&Answer<Step<S>>) -> Result<Option<Step<S>>, QueryError>,
    ) -> Within<Result<S::Event, QueryError>> {
        let answer = match std::mem::replace(&mut self.turn, Turn::Ended) {
            Turn::Caller(mut source) => self.asker.begin(async move {
                let event = source.step().await;
                (source, event)
            }),
            Turn::Thread(answer) => answer,
            Turn::Ended => return Within::Ended,
        };
        match wait(&answer) {
            Ok(Some((source, Some(event)))) => {
                self.turn = Turn::Caller(source);
                Within::Item(event)
            }
            Ok(Some((_, None))) => Within::Ended,
            Ok(None) => {
                self.turn = Turn::Thread(answer);
                Within::Waiting
            }
            Err(err) => Within::Item(Err(err)),
        }
    }
}

impl<S: Source> Iterator for Iter<S> {
    type Item = Result<S::Event, QueryError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.step(|answer| answer.wait().map(Some)) {
            Within::Item(event) => Some(event),
            Within::Waiting | Within::Ended => None,
        }
    }
}

impl<S: Source> fmt::Debug for Iter<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turn = match self.turn {
            Turn::Caller(_) => "idle",
            Turn::Thread(_) => "waiting",
            Turn::Ended => "ended",
        };
        formatter.debug_struct("Iter").field("state", &turn).finish_non_exhaustive()
    }
}
