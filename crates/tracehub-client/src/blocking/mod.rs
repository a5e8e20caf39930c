//! The reading side for programs without async: the same questions, each blocking until it is answered.
//!
//! One thread with a runtime of its own asks for all clones of a client: `thread.rs`. Streams and pages are iterators:
//! `iter.rs`. It may be used on any thread, also on one of an async runtime, where it does not panic; it does block that
//! thread, so a server or timer that needs it has to wait.

mod iter;
mod thread;

use std::sync::Arc;
use std::time::Duration;

use tracehub_core::wire::calls::CallsAnswer;
use tracehub_core::wire::compare::CompareAnswer;
use tracehub_core::wire::read::{ChainAnswer, CleanupAnswer, CorrelationsAnswer, HealthAnswer, RecentAnswer};
use tracehub_core::wire::stats::StatsAnswer;

pub use self::iter::{Iter, Source, Within};
use self::thread::Asker;
use crate::error::QueryError;
use crate::query::{Clocks, CorrelationPages, CorrelationQuery, RecentQuery, StreamFilter};
use crate::resume::ResumingStream;
use crate::stream::TraceStream;

/// Reads from a TraceHub server and blocks. Cheap to clone; clones share the thread, and may ask at the same time.
///
/// Each method is that of [`tracehub_client::TraceHubQueryClient`](crate::TraceHubQueryClient), with its errors; and
/// [`QueryError::Worker`] if the thread has died.
///
/// ```no_run
/// use tracehub_client::blocking::TraceHubQueryClient;
///
/// let client = TraceHubQueryClient::new("http://127.0.0.1:8099")?;
/// let chain = client.get_traces("order-42", None)?;
/// assert!(chain.complete);
/// # Ok::<(), tracehub_client::QueryError>(())
/// ```
#[derive(Debug, Clone)]
pub struct TraceHubQueryClient {
    client: crate::TraceHubQueryClient,
    asker: Arc<Asker>,
}

impl TraceHubQueryClient {
    /// A client of the server at `url`, with a timeout of 10 s and no secret. Starts its thread; nothing is sent yet.
    ///
    /// # Errors
    /// [`QueryError::InvalidUrl`] if `url` is not `http://host[:port][/prefix]`, [`QueryError::Worker`] if the thread
    /// cannot be started.
    pub fn new(url: &str) -> Result<Self, QueryError> {
        Self::of(crate::TraceHubQueryClient::new(url)?)
    }

    /// A client with the connections of another, which no other runtime may use.
    pub(crate) fn of(client: crate::TraceHubQueryClient) -> Result<Self, QueryError> {
        Ok(Self { client, asker: Asker::start()? })
    }

    /// Sets how long one request may take, its whole answer included; of a stream, until its answer starts.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { client: self.client.with_timeout(timeout), asker: self.asker }
    }

    /// Sets the most bytes of one answer (256 MiB).
    #[must_use]
    pub fn with_answer_limit(self, bytes: usize) -> Self {
        Self { client: self.client.with_answer_limit(bytes), asker: self.asker }
    }

    /// Sets the secret, sent as `X-TraceHub-Secret`. An empty one is none. It is never shown.
    #[must_use]
    pub fn with_secret(self, secret: impl Into<String>) -> Self {
        Self { client: self.client.with_secret(secret), asker: self.asker }
    }

    /// The server's address, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        self.client.url()
    }

    /// The chain with this correlation id, or only the entries that `source` logged.
    pub fn get_traces(&self, correlation_id: &str, source: Option<&str>) -> Result<ChainAnswer, QueryError> {
        let (client, id, source) = (self.client.clone(), correlation_id.to_owned(), source.map(str::to_owned));
        self.asker.ask(async move { client.get_traces(&id, source.as_deref()).await })
    }

    /// The most recently active chains, at most `limit` (0 to 10,000).
    pub fn list_correlations(&self, limit: u32) -> Result<CorrelationsAnswer, QueryError> {
        let client = self.client.clone();
        self.asker.ask(async move { client.list_correlations(limit).await })
    }

    /// Chains that match a question.
    pub fn correlations(&self, query: &CorrelationQuery) -> Result<CorrelationsAnswer, QueryError> {
        let (client, query) = (self.client.clone(), query.clone());
        self.asker.ask(async move { client.correlations(&query).await })
    }

    /// All chains that match a question, page by page.
    ///
    /// ```no_run
    /// use tracehub_client::CorrelationQuery;
    /// use tracehub_client::blocking::TraceHubQueryClient;
    ///
    /// let client = TraceHubQueryClient::new("http://127.0.0.1:8099")?;
    /// for page in client.correlation_pages(CorrelationQuery::new().source("MA")) {
    ///     for chain in page?.correlations {
    ///         assert!(chain.sources.contains(&"MA".to_owned()));
    ///     }
    /// }
    /// # Ok::<(), tracehub_client::QueryError>(())
    /// ```
    pub fn correlation_pages(&self, query: CorrelationQuery) -> Iter<CorrelationPages> {
        self.iter(self.client.correlation_pages(query))
    }

    /// A chain as calls, and where its time went.
    pub fn calls(&self, correlation_id: &str, clocks: Clocks) -> Result<CallsAnswer, QueryError> {
        let (client, id) = (self.client.clone(), correlation_id.to_owned());
        self.asker.ask(async move { client.calls(&id, clocks).await })
    }

    /// Two chains, call by call.
    pub fn compare(&self, a: &str, b: &str, clocks: Clocks) -> Result<CompareAnswer, QueryError> {
        let (client, a, b) = (self.client.clone(), a.to_owned(), b.to_owned());
        self.asker.ask(async move { client.compare(&a, &b, clocks).await })
    }

    /// The newest entries of all chains, or those after an id.
    pub fn recent(&self, query: &RecentQuery) -> Result<RecentAnswer, QueryError> {
        let (client, query) = (self.client.clone(), query.clone());
        self.asker.ask(async move { client.recent(&query).await })
    }

    /// The server's state and settings.
    pub fn health(&self) -> Result<HealthAnswer, QueryError> {
        let client = self.client.clone();
        self.asker.ask(async move { client.health().await })
    }

    /// How much the server has stored, what waits, and what came since it started.
    pub fn stats(&self) -> Result<StatsAnswer, QueryError> {
        let client = self.client.clone();
        self.asker.ask(async move { client.stats().await })
    }

    /// Deletes the entries that are older than the server's retention.
    pub fn cleanup(&self) -> Result<CleanupAnswer, QueryError> {
        let client = self.client.clone();
        self.asker.ask(async move { client.cleanup().await })
    }

    /// Follows a chain for `timeout` over one connection.
    pub fn stream_traces(&self, correlation_id: &str, timeout: Duration) -> Result<Iter<TraceStream>, QueryError> {
        let (client, id) = (self.client.clone(), correlation_id.to_owned());
        let stream = self.asker.ask(async move { client.stream_traces(&id, timeout).await })?;
        Ok(self.iter(stream))
    }

    /// The entries of all chains as they are committed, over one connection.
    pub fn stream(&self, filter: &StreamFilter) -> Result<Iter<TraceStream>, QueryError> {
        let (client, filter) = (self.client.clone(), filter.clone());
        let stream = self.asker.ask(async move { client.stream(&filter).await })?;
        Ok(self.iter(stream))
    }

    /// Follows a chain over broken connections and restarts of the server.
    pub fn follow_traces(
        &self,
        correlation_id: &str,
        timeout: Option<Duration>,
    ) -> Result<Iter<ResumingStream>, QueryError> {
        Ok(self.iter(self.client.follow_traces(correlation_id, timeout)?))
    }

    /// Follows the entries of all chains over broken connections and restarts of the server.
    pub fn follow(&self, filter: &StreamFilter) -> Iter<ResumingStream> {
        self.iter(self.client.follow(filter))
    }

    fn iter<S: Source>(&self, source: S) -> Iter<S> {
        Iter::new(Arc::clone(&self.asker), source)
    }
}
