//! Following live over broken connections and restarts: where it was left is where it goes on. `backoff.rs` says how long
//! to wait in between.

mod backoff;

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;
use tracehub_core::TraceEntry;

use crate::error::QueryError;
use crate::events::StreamEvent;
use crate::query::{RecentQuery, StreamFilter, TraceHubQueryClient};
use crate::stream::TraceStream;

/// What is followed.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// One chain, by its stream's path.
    Chain { path: String },
    /// All chains, filtered.
    All { filter: StreamFilter },
}

/// What a stream brings that outlives its connections.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ResumeEvent {
    /// One entry. Each comes once, in the order of their commits.
    Entry {
        /// Its id, to go on after; the Python server sends none.
        id: Option<i64>,
        /// The entry.
        entry: TraceEntry,
    },
    /// There is a connection: the first, or another after an interruption.
    Connected {
        /// The id that it goes on after; none if it begins at a chain's beginning.
        after: Option<i64>,
        /// Whether the server no longer has what came before: it has a new database, or has deleted everything. All
        /// that it has now comes, with ids that may have come before.
        anew: bool,
    },
    /// There is no connection. The next call waits and tries again; dropping the stream gives up.
    Interrupted {
        /// Why.
        cause: Interruption,
        /// How many attempts in a row have brought nothing, this one counted.
        attempt: u32,
        /// How long it waits, counted from now.
        wait: Duration,
    },
    /// The last event: the stream has run its time, and everything that was committed meanwhile has come.
    Timeout,
}

/// Why a stream is without a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Interruption {
    /// The server said that it stops.
    Shutdown,
    /// The server ended the stream before its time.
    EndedEarly,
    /// The connection broke, fell silent, or could not be made.
    Failed(QueryError),
}

impl fmt::Display for Interruption {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shutdown => formatter.write_str("the server stops"),
            Self::EndedEarly => formatter.write_str("the server ended the stream before its time"),
            Self::Failed(err) => err.fmt(formatter),
        }
    }
}

/// Entries, live, over as many connections as it takes. Made by
/// [`follow_traces`](TraceHubQueryClient::follow_traces) and [`follow`](TraceHubQueryClient::follow).
///
/// After a broken connection, a restart of the server, or silence (20 s on a chain's stream, 50 s on that of all chains,
/// where the servers speak every 1 s and every 15 s) it connects again by itself, after a random wait of up to 0.1 s that
/// doubles up to 10 s, and goes on after the last entry it gave. No entry comes twice, and none is left out, but for those
/// that the server deleted meanwhile because they were older than its retention. A server that comes back with a newest
/// id below the last one has another database, whose ids began anew: it is followed from its beginning, as
/// [`ResumeEvent::Connected`] says. Where the new ids have passed the last one already, nobody can tell.
///
/// It ends with [`ResumeEvent::Timeout`] or with an error:
/// - [`QueryError`] of a kind that does not pass ([`QueryError::may_pass`]), such as 401, 403, 404 and 422.
/// - The reason why there is no connection, if there is none when its time is up, or a request's timeout later.
/// - [`QueryError::Unsupported`] when a connection to the Python server breaks: its events have no ids to go on after.
#[must_use = "nothing is sent before `next` is awaited"]
pub struct ResumingStream {
    client: TraceHubQueryClient,
    subject: Subject,
    timeout: Option<Duration>,
    state: State,
    /// When its time is up; set when it first connects. None if never, or if that is beyond the clock.
    deadline: Option<Instant>,
    /// When the last entry came.
    heard: Option<Instant>,
    last_id: Option<i64>,
    /// Whether an entry without an id has come, after which there is no going on elsewhere.
    unnumbered: bool,
    failed: u32,
    connections: u64,
}

type Opening = Pin<Box<dyn Future<Output = Result<(TraceStream, Option<i64>), QueryError>> + Send>>;

/// Kept outside of `next`, so that a future of it that is dropped half-way loses nothing.
enum State {
    Start,
    Waiting { until: Instant },
    Opening(Opening),
    Open { stream: Box<TraceStream>, since: Instant },
    Ended,
}

impl ResumingStream {
    pub(crate) fn new(
        client: TraceHubQueryClient,
        subject: Subject,
        last_id: Option<i64>,
        timeout: Option<Duration>,
    ) -> Self {
        Self {
            client,
            subject,
            timeout,
            state: State::Start,
            deadline: None,
            heard: None,
            last_id,
            unnumbered: false,
            failed: 0,
            connections: 0,
        }
    }

    /// Begins after this entry; call it before the first [`next`](Self::next).
    ///
    /// ```
    /// use tracehub_client::{QueryError, TraceHubQueryClient};
    ///
    /// let client = TraceHubQueryClient::new("http://127.0.0.1:8099")?;
    /// let stream = client.follow_traces("order-42", None)?.starting_after(1_200);
    /// assert_eq!(stream.last_id(), Some(1_200));
    /// # Ok::<(), QueryError>(())
    /// ```
    pub fn starting_after(mut self, id: i64) -> Self {
        self.last_id = Some(id);
        self
    }

    /// The id of the last entry that was given, or where it began: what a later stream can start after. None if nothing
    /// is known yet.
    #[must_use]
    pub fn last_id(&self) -> Option<i64> {
        self.last_id
    }

    /// How many connections it took so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// The next event, or none once the stream has ended. Dropping the future loses nothing. Time is counted from the
    /// first call.
    ///
    /// An event that is no entry is [`QueryError::Malformed`], and the stream goes on after it; every other error ends it.
    pub async fn next(&mut self) -> Option<Result<ResumeEvent, QueryError>> {
        loop {
            match &mut self.state {
                State::Start => {
                    self.deadline = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
                    self.state = State::Opening(self.opening());
                }
                State::Waiting { until } => {
                    tokio::time::sleep_until(*until).await;
                    self.state = State::Opening(self.opening());
                }
                State::Opening(opening) => match opening.await {
                    Ok((stream, after)) => {
                        self.state = State::Open { stream: Box::new(stream), since: Instant::now() };
                        let anew = after < self.last_id;
                        self.last_id = after;
                        self.connections += 1;
                        return Some(Ok(ResumeEvent::Connected { after, anew }));
                    }
                    Err(err) => return Some(self.interrupt(Interruption::Failed(err))),
                },
                State::Open { stream, .. } => {
                    let event = stream.next().await;
                    let (id, has_ended) = (stream.last_id(), stream.has_ended());
                    if let Some(event) = self.take(event, id, has_ended) {
                        return Some(event);
                    }
                }
                State::Ended => return None,
            }
        }
    }

    /// The next entry, or none once the stream has run its time. Interruptions are not told. Errors are those of
    /// [`next`](Self::next).
    pub async fn next_entry(&mut self) -> Option<Result<TraceEntry, QueryError>> {
        loop {
            match self.next().await? {
                Ok(ResumeEvent::Entry { entry, .. }) => return Some(Ok(entry)),
                Ok(_) => {}
                Err(err) => return Some(Err(err)),
            }
        }
    }

    /// Another connection in the making, and where it goes on.
    fn opening(&self) -> Opening {
        let (client, subject, mut after) = (self.client.clone(), self.subject.clone(), self.last_id);
        let left = match (self.timeout, self.deadline) {
            (Some(_), Some(deadline)) => Some(deadline.saturating_duration_since(Instant::now())),
            (timeout, _) => timeout,
        };
        let is_first = self.connections == 0;
        Box::pin(async move {
            let newest = RecentQuery::new().limit(0);
            match after {
                // From now on, also if this connection breaks before its first entry: so "now" must have an id.
                None if matches!(subject, Subject::All { .. }) => after = Some(client.recent(&newest).await?.last_id.0),
                Some(last) if !is_first => match client.recent(&newest).await {
                    // Ids that are to come would be taken for those that have come.
                    Ok(answer) if answer.last_id.0 < last => after = Some(0),
                    Err(err) if err.may_pass() => return Err(err),
                    // Where nobody can tell, the stream's own answer says whether it goes on.
                    Ok(_) | Err(_) => {}
                },
                _ => {}
            }
            Ok((client.open(&subject, left, after).await?, after))
        })
    }

    /// What an open connection's event means for the caller; none if nothing.
    fn take(
        &mut self,
        event: Option<Result<StreamEvent, QueryError>>,
        id: Option<i64>,
        has_ended: bool,
    ) -> Option<Result<ResumeEvent, QueryError>> {
        match event {
            Some(Ok(StreamEvent::Entry { id, entry })) => {
                if id.is_some() && id <= self.last_id {
                    return None;
                }
                self.unnumbered |= id.is_none();
                self.heard = Some(Instant::now());
                self.last_id = id.or(self.last_id);
                self.failed = 0;
                Some(Ok(ResumeEvent::Entry { id, entry }))
            }
            Some(Ok(StreamEvent::Timeout)) if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                self.state = State::Ended;
                Some(Ok(ResumeEvent::Timeout))
            }
            Some(Ok(StreamEvent::Timeout)) | None => Some(self.interrupt(Interruption::EndedEarly)),
            Some(Ok(StreamEvent::Shutdown)) => Some(self.interrupt(Interruption::Shutdown)),
            Some(Err(err)) if has_ended => Some(self.interrupt(Interruption::Failed(err))),
            Some(Err(err)) => {
                // Told once: the next connection goes on after it.
                self.last_id = self.last_id.max(id);
                Some(Err(err))
            }
        }
    }

    /// Decides what follows a lost connection: another one after a wait, or the end.
    fn interrupt(&mut self, cause: Interruption) -> Result<ResumeEvent, QueryError> {
        let state = std::mem::replace(&mut self.state, State::Ended);
        if let Interruption::Failed(err) = &cause
            && !err.may_pass()
        {
            return Err(err.clone());
        }
        if self.unnumbered {
            return Err(self
                .client
                .unsupported("events with ids, so the stream cannot go on after a broken connection"));
        }
        let now = Instant::now();
        // What is stored may take longer than the stream's time, so a connection that breaks on the way is no end.
        let give_up = self.deadline.max(self.deadline.and(self.heard));
        let give_up = give_up.and_then(|deadline| deadline.checked_add(self.client.timeout()));
        if give_up.is_some_and(|give_up| give_up <= now) {
            return Err(match cause {
                Interruption::Failed(err) => err,
                other => QueryError::Unreachable { url: self.client.url().to_owned(), reason: other.to_string() },
            });
        }
        if let State::Open { since, .. } = state
            && now.duration_since(since) >= backoff::MAX
        {
            // A silent chain is no failure.
            self.failed = 0;
        }
        let wait = backoff::wait(self.failed, fastrand::f64());
        let wait = give_up.map_or(wait, |give_up| wait.min(give_up.duration_since(now)));
        self.failed = self.failed.saturating_add(1);
        self.state = State::Waiting { until: now + wait };
        Ok(ResumeEvent::Interrupted { cause, attempt: self.failed, wait })
    }
}

impl fmt::Debug for ResumingStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Start => "not started",
            State::Waiting { .. } => "waiting",
            State::Opening(_) => "connecting",
            State::Open { .. } => "connected",
            State::Ended => "ended",
        };
        formatter
            .debug_struct("ResumingStream")
            .field("subject", &self.subject)
            .field("state", &state)
            .field("last_id", &self.last_id)
            .finish_non_exhaustive()
    }
}
