//! What can be asked: chains, their calls, lists, the newest entries, health.

#[cfg(feature = "tls")]
use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use tracehub_core::wire::calls::CallsAnswer;
use tracehub_core::wire::compare::CompareAnswer;
use tracehub_core::wire::read::{ChainAnswer, CleanupAnswer, CorrelationsAnswer, HealthAnswer, RecentAnswer};
use tracehub_core::wire::stats::StatsAnswer;

use super::{Clocks, CorrelationPages, CorrelationQuery, RecentQuery};
use crate::blocking;
use crate::error::QueryError;
use crate::http::{self, BaseUrl, Secret};
use crate::trust::Trust;

/// How long one request may take when nothing else is set.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of one answer when nothing else is set. A chain at the server's own limits is far below; a fault or a
/// stranger may not be.
const DEFAULT_ANSWER_LIMIT: usize = 256 << 20;

/// Reads from a TraceHub server. Cheap to clone; clones share connections.
///
/// The futures must be awaited inside a Tokio runtime with I/O and time enabled; [`blocking`](Self::blocking) needs none.
///
/// Each method says what the server may be asked. The Python server knows chains, the list of chains by limit, health,
/// cleanup and the stream of one chain; what it lacks is [`QueryError::Unsupported`].
///
/// ```no_run
/// use tracehub_client::TraceHubQueryClient;
///
/// # async fn example() -> Result<(), tracehub_client::QueryError> {
/// let client = TraceHubQueryClient::new("http://127.0.0.1:8099")?;
/// let chain = client.get_traces("order-42", None).await?;
/// assert!(chain.complete);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TraceHubQueryClient {
    pub(super) base: BaseUrl,
    trust: Trust,
    pub(super) http: reqwest::Client,
    pub(super) timeout: Duration,
    pub(super) answer_limit: usize,
    pub(super) secret: Option<Secret>,
}

impl TraceHubQueryClient {
    /// A client of the server at `url`, with a timeout of 10 s and no secret. Nothing is sent yet.
    ///
    /// # Errors
    /// [`QueryError::InvalidUrl`] if `url` is not `http://host[:port][/prefix]`, or `https` with the feature `tls`.
    pub fn new(url: &str) -> Result<Self, QueryError> {
        let base = BaseUrl::parse(url)
            .map_err(|problem| QueryError::InvalidUrl { url: problem.url, reason: problem.reason })?;
        let trust = Trust::default();
        let http = connections(&base, &trust)?;
        Ok(Self { base, trust, http, timeout: DEFAULT_TIMEOUT, answer_limit: DEFAULT_ANSWER_LIMIT, secret: None })
    }

    /// A twin with the same settings for programs without async. See [`blocking`].
    ///
    /// ```no_run
    /// use tracehub_client::TraceHubQueryClient;
    ///
    /// let client = TraceHubQueryClient::new("http://127.0.0.1:8099")?.blocking()?;
    /// assert_eq!(client.health()?.status, "healthy");
    /// # Ok::<(), tracehub_client::QueryError>(())
    /// ```
    ///
    /// # Errors
    /// [`QueryError::Worker`] if its thread cannot be started.
    pub fn blocking(&self) -> Result<blocking::TraceHubQueryClient, QueryError> {
        // Connections are kept alive by the runtime that opened them, and that one may be waiting for the twin.
        blocking::TraceHubQueryClient::of(Self { http: connections(&self.base, &self.trust)?, ..self.clone() })
    }

    /// Sets how long one request may take, its whole answer included; of a stream, until its answer starts.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long one request may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sets the most bytes of one answer (256 MiB); more is [`QueryError::Malformed`]. What an answer takes in memory is a
    /// few times as much. Streams have a bound of their own, [`MAX_EVENT_BYTES`](crate::MAX_EVENT_BYTES).
    #[must_use]
    pub fn with_answer_limit(mut self, bytes: usize) -> Self {
        self.answer_limit = bytes;
        self
    }

    /// Sets the secret, sent as `X-TraceHub-Secret`. An empty one is none. It is never shown.
    #[must_use]
    pub fn with_secret(mut self, secret: impl Into<String>) -> Self {
        let secret = secret.into();
        self.secret = (!secret.is_empty()).then(|| Secret::new(secret));
        self
    }

    /// Takes only the word of the authorities in this file of PEM certificates for the certificate of an `https` server,
    /// instead of that of the system's. The file is read now.
    ///
    /// ```no_run
    /// use tracehub_client::TraceHubQueryClient;
    ///
    /// let client = TraceHubQueryClient::new("https://hub:8099")?.with_tls_ca("/etc/tracehub/ca.pem")?;
    /// # Ok::<(), tracehub_client::QueryError>(())
    /// ```
    ///
    /// # Errors
    /// [`QueryError::Authorities`] if the file cannot be read or holds no certificate.
    #[cfg(feature = "tls")]
    pub fn with_tls_ca(mut self, file: impl AsRef<Path>) -> Result<Self, QueryError> {
        let file = file.as_ref();
        let unusable = |err: std::io::Error| QueryError::Authorities { file: file.to_owned(), reason: err.to_string() };
        self.trust = Trust::read(file).map_err(unusable)?;
        self.http = connections(&self.base, &self.trust)?;
        Ok(self)
    }

    /// The server's address, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        self.base.as_str()
    }

    /// The chain with this correlation id, or only the entries that `source` logged. An unknown chain is an empty one.
    ///
    /// # Errors
    /// [`QueryError`]; [`QueryError::InvalidUrl`] for an empty id and the ids `.` and `..`, which no URL path can hold.
    pub async fn get_traces(&self, correlation_id: &str, source: Option<&str>) -> Result<ChainAnswer, QueryError> {
        let mut request = self.request(Method::GET, &self.chain_path(correlation_id, "")?)?;
        if let Some(source) = source {
            request = request.query(&[("source", source)]);
        }
        self.answer(request).await
    }

    /// The most recently active chains, at most `limit` (0 to 10,000), with whether each is complete. The original does
    /// not say that.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn list_correlations(&self, limit: u32) -> Result<CorrelationsAnswer, QueryError> {
        let request = self.request(Method::GET, "/correlations")?;
        self.answer(request.query(&[("limit", limit.to_string().as_str()), ("include", "complete")])).await
    }

    /// Chains, the most recently active first, that match a question. `next_cursor` says where the next page begins.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), tracehub_client::QueryError> {
    /// use tracehub_client::{ChainStatus, CorrelationQuery, TraceHubQueryClient};
    ///
    /// let client = TraceHubQueryClient::new("http://127.0.0.1:8099")?;
    /// let stuck = client.correlations(&CorrelationQuery::new().status(ChainStatus::Incomplete)).await?;
    /// assert!(stuck.correlations.iter().all(|chain| chain.complete == Some(false)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`QueryError`]; [`QueryError::Unsupported`] if the server does not filter: it would have given other chains.
    pub async fn correlations(&self, query: &CorrelationQuery) -> Result<CorrelationsAnswer, QueryError> {
        let request = self.request(Method::GET, "/correlations")?;
        let answer: CorrelationsAnswer = self.answer(request.query(&query.parameters())).await?;
        // The Python server passes over what it does not know, and never says whether a chain is complete.
        if query.is_filtered() && answer.correlations.iter().any(|chain| chain.complete.is_none()) {
            return Err(self.unsupported("GET /correlations with filters"));
        }
        Ok(answer)
    }

    /// All chains that match a question, page by page, each of at most the question's limit. Nothing is asked yet.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), tracehub_client::QueryError> {
    /// use tracehub_client::{CorrelationQuery, TraceHubQueryClient};
    ///
    /// let client = TraceHubQueryClient::new("http://127.0.0.1:8099")?;
    /// let mut pages = client.correlation_pages(CorrelationQuery::new().source("MA").limit(1_000));
    /// let mut chains = 0;
    /// while let Some(page) = pages.next().await {
    ///     chains += page?.count;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn correlation_pages(&self, query: CorrelationQuery) -> CorrelationPages {
        CorrelationPages::new(self.clone(), query)
    }

    /// A chain as calls, and where its time went. An unknown chain has none.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), tracehub_client::QueryError> {
    /// use tracehub_client::{Clocks, TraceHubQueryClient};
    ///
    /// let client = TraceHubQueryClient::new("http://127.0.0.1:8099")?;
    /// let answer = client.calls("order-42", Clocks::Corrected).await?;
    /// let slowest = answer.calls.iter().max_by(|a, b| a.self_ms.unwrap_or(0.0).total_cmp(&b.self_ms.unwrap_or(0.0)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`QueryError`], as for [`get_traces`](Self::get_traces); [`QueryError::Status`] with 422 for a chain of more than
    /// 100,000 entries.
    pub async fn calls(&self, correlation_id: &str, clocks: Clocks) -> Result<CallsAnswer, QueryError> {
        let request = self.request(Method::GET, &self.chain_path(correlation_id, "/calls")?)?;
        self.extended_answer("GET /traces/{id}/calls", request.query(&[("skew", clocks.skew())])).await
    }

    /// Two chains, call by call: what `b` lacks, what it has besides, and what was slower in it.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), tracehub_client::QueryError> {
    /// use tracehub_client::{Clocks, TraceHubQueryClient};
    ///
    /// let client = TraceHubQueryClient::new("http://127.0.0.1:8099")?;
    /// let answer = client.compare("order-42", "order-43", Clocks::Corrected).await?;
    /// let slower = answer.calls.iter().filter(|call| call.slower_ms > Some(10.0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`QueryError`]; [`QueryError::Status`] with 422 for an empty id and for a chain of more than 100,000 entries.
    pub async fn compare(&self, a: &str, b: &str, clocks: Clocks) -> Result<CompareAnswer, QueryError> {
        let request = self.request(Method::GET, "/compare")?;
        self.extended_answer("GET /compare", request.query(&[("a", a), ("b", b), ("skew", clocks.skew())])).await
    }

    /// The newest entries of all chains, or those after an id, in the order of their commits.
    ///
    /// Asking again with `since_id` set to the answer's `last_id` misses and repeats nothing.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), tracehub_client::QueryError> {
    /// use tracehub_client::{RecentQuery, TraceHubQueryClient};
    ///
    /// let client = TraceHubQueryClient::new("http://127.0.0.1:8099")?;
    /// let newest = client.recent(&RecentQuery::new().limit(20)).await?;
    /// let newer = client.recent(&RecentQuery::new().since_id(newest.last_id)).await?;
    /// assert!(newer.last_id >= newest.last_id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn recent(&self, query: &RecentQuery) -> Result<RecentAnswer, QueryError> {
        let request = self.request(Method::GET, "/recent")?.query(&query.parameters());
        let answer: RecentAnswer = self.extended_answer("GET /recent", request).await?;
        // Whoever polls would begin again with what it has.
        let mut last = query.begins_after();
        for id in answer.traces.iter().map(|recent| recent.id) {
            if Some(id) <= last {
                return Err(self.malformed(format!("entry {id} does not come after the one before it")));
            }
            last = Some(id);
        }
        if Some(answer.last_id) < last {
            return Err(self.malformed(format!("last_id {} is before the entries", answer.last_id)));
        }
        Ok(answer)
    }

    /// The server's state and settings.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn health(&self) -> Result<HealthAnswer, QueryError> {
        self.answer(self.request(Method::GET, "/health")?).await
    }

    /// How much the server has stored, what waits, and what came since it started.
    ///
    /// # Errors
    /// [`QueryError`]; [`QueryError::Unsupported`] by the Python server.
    pub async fn stats(&self) -> Result<StatsAnswer, QueryError> {
        self.extended_answer("GET /stats", self.request(Method::GET, "/stats")?).await
    }

    /// Deletes the entries that are older than the server's retention.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn cleanup(&self) -> Result<CleanupAnswer, QueryError> {
        self.answer(self.request(Method::DELETE, "/cleanup")?).await
    }
}

/// Where the system names no authorities, nobody is trusted: others may be named later.
fn connections(base: &BaseUrl, trust: &Trust) -> Result<reqwest::Client, QueryError> {
    http::client(base, trust)
        .or_else(|_| http::client(base, &Trust::nobody()))
        .map_err(|err| QueryError::InvalidUrl { url: base.as_str().to_owned(), reason: http::reason(&err) })
}
