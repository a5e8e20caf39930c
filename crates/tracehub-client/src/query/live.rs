//! What can be followed live: one chain or all of them, over one connection or over as many as it takes.

use std::time::Duration;

use super::ask::whole_seconds;
use super::{StreamFilter, TraceHubQueryClient};
use crate::error::QueryError;
use crate::resume::{ResumingStream, Subject};
use crate::stream::{Course, TraceStream};

/// A chain's stream without a byte for this long is dead: both servers send a comment every second.
const CHAIN_SILENCE: Duration = Duration::from_secs(20);
/// The same of the stream of all chains, which brings a comment every 15 s: three of them missing, and a bit.
const SILENCE: Duration = Duration::from_secs(50);
/// As good as for ever, and the longest that a server lets a stream run: a year.
const LONGEST: Duration = Duration::from_hours(365 * 24);

impl TraceHubQueryClient {
    /// Follows a chain: first its stored entries, then new ones as they are committed, for `timeout` (rounded up to
    /// whole seconds), over one connection. [`follow_traces`](Self::follow_traces) outlives connections.
    ///
    /// # Errors
    /// [`QueryError`], as for [`get_traces`](Self::get_traces).
    pub async fn stream_traces(&self, correlation_id: &str, timeout: Duration) -> Result<TraceStream, QueryError> {
        self.open(&Subject::Chain { path: self.chain_path(correlation_id, "/stream")? }, Some(timeout), None).await
    }

    /// The entries of all chains as they are committed, over one connection. [`follow`](Self::follow) outlives
    /// connections.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), tracehub_client::QueryError> {
    /// use tracehub_client::{StreamEvent, StreamFilter, TraceHubQueryClient};
    ///
    /// let client = TraceHubQueryClient::new("http://127.0.0.1:8099")?;
    /// let mut stream = client.stream(&StreamFilter::new().source("MA")).await?;
    /// while let Some(event) = stream.next().await {
    ///     if let StreamEvent::Entry { entry, .. } = event? {
    ///         assert_eq!(entry.source_id(), "MA");
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`QueryError`]; [`QueryError::Unsupported`] by the Python server.
    pub async fn stream(&self, filter: &StreamFilter) -> Result<TraceStream, QueryError> {
        self.open(&Subject::All { filter: filter.clone() }, filter.runs_for(), filter.begins_after()).await
    }

    /// Follows a chain over broken connections and restarts of the server, for `timeout`; without one, until the stream
    /// is dropped. Nothing is sent yet.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), tracehub_client::QueryError> {
    /// use std::time::Duration;
    /// use tracehub_client::TraceHubQueryClient;
    ///
    /// let client = TraceHubQueryClient::new("http://127.0.0.1:8099")?;
    /// let mut stream = client.follow_traces("order-42", Some(Duration::from_secs(60)))?;
    /// while let Some(entry) = stream.next_entry().await {
    ///     assert_eq!(entry?.correlation_id(), "order-42");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`QueryError::InvalidUrl`], as for [`get_traces`](Self::get_traces).
    pub fn follow_traces(&self, correlation_id: &str, timeout: Option<Duration>) -> Result<ResumingStream, QueryError> {
        let subject = Subject::Chain { path: self.chain_path(correlation_id, "/stream")? };
        Ok(ResumingStream::new(self.clone(), subject, None, timeout))
    }

    /// Follows the entries of all chains over broken connections and restarts of the server. Nothing is sent yet.
    ///
    /// Without [`StreamFilter::after`] it begins when it first connects.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), tracehub_client::QueryError> {
    /// use tracehub_client::{ResumeEvent, StreamFilter, TraceHubQueryClient};
    ///
    /// let client = TraceHubQueryClient::new("http://127.0.0.1:8099")?;
    /// let mut stream = client.follow(&StreamFilter::new().after(0));
    /// let mut interruptions = 0;
    /// while let Some(event) = stream.next().await {
    ///     match event? {
    ///         ResumeEvent::Entry { id, entry } => assert!(id.is_some() && !entry.correlation_id().is_empty()),
    ///         ResumeEvent::Interrupted { .. } => interruptions += 1,
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn follow(&self, filter: &StreamFilter) -> ResumingStream {
        let (after, timeout) = (filter.begins_after(), filter.runs_for());
        ResumingStream::new(self.clone(), Subject::All { filter: filter.clone() }, after, timeout)
    }

    /// Opens one connection's stream of a subject that goes on after `after` and ends itself after `timeout`.
    pub(crate) async fn open(
        &self,
        subject: &Subject,
        timeout: Option<Duration>,
        after: Option<i64>,
    ) -> Result<TraceStream, QueryError> {
        let allowed = timeout.map(|timeout| timeout.saturating_add(self.timeout));
        match subject {
            Subject::Chain { path } => {
                let course = Course { allowed, patience: self.timeout, silence: CHAIN_SILENCE, is_history: false };
                // Without the parameter the servers end after a minute.
                let seconds = whole_seconds(timeout.unwrap_or(LONGEST)).to_string();
                self.open_stream(path, &vec![("timeout", seconds)], after, course).await
            }
            Subject::All { filter } => {
                let is_history = timeout.is_some_and(|timeout| timeout.is_zero());
                let course = Course { allowed, patience: self.timeout, silence: SILENCE, is_history };
                let stream = self.open_stream("/stream", &filter.parameters(timeout), after, course).await;
                stream.map_err(|err| self.or_unsupported("GET /stream", err))
            }
        }
    }
}
