//! The reading side: ask a server for chains, lists and health, and follow a chain live.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use tracehub_core::wire::read::{ChainAnswer, CleanupAnswer, CorrelationsAnswer, HealthAnswer};

use crate::error::QueryError;
use crate::http::{self, BaseUrl, Secret};
use crate::stream::TraceStream;

/// How long one request may take when nothing else is set.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of one answer. A chain at the server's own limits is far below; a fault or a stranger may not be.
const MAX_ANSWER_BYTES: usize = 256 << 20;
/// The most bytes that are read of a refusal.
const MAX_REFUSAL_BYTES: usize = 64 << 10;

/// Every byte of an id but the unreserved ones, so that an id is one segment of the path, whatever it holds.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Reads from a TraceHub server. Cheap to clone; clones share connections.
///
/// The futures must be awaited inside a Tokio runtime with I/O and time enabled.
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
    base: BaseUrl,
    http: reqwest::Client,
    timeout: Duration,
    secret: Option<Secret>,
}

impl TraceHubQueryClient {
    /// A client of the server at `url`, with a timeout of 10 s and no secret. Nothing is sent yet.
    ///
    /// # Errors
    /// [`QueryError::InvalidUrl`] if `url` is not `http://host[:port][/prefix]`.
    pub fn new(url: &str) -> Result<Self, QueryError> {
        let base = BaseUrl::parse(url)
            .map_err(|problem| QueryError::InvalidUrl { url: problem.url, reason: problem.reason })?;
        let http = http::client()
            .map_err(|err| QueryError::InvalidUrl { url: base.as_str().to_owned(), reason: http::reason(&err) })?;
        Ok(Self { base, http, timeout: DEFAULT_TIMEOUT, secret: None })
    }

    /// Sets how long one request may take, its whole answer included; of a stream, until its answer starts.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the secret, sent as `X-TraceHub-Secret`. An empty one is none. It is never shown.
    #[must_use]
    pub fn with_secret(mut self, secret: impl Into<String>) -> Self {
        let secret = secret.into();
        self.secret = (!secret.is_empty()).then(|| Secret::new(secret));
        self
    }

    /// The server's address, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        self.base.as_str()
    }

    /// The chain with this correlation id, or only the entries that `source` logged. An unknown chain is an empty one.
    ///
    /// # Errors
    /// [`QueryError`]; [`QueryError::InvalidUrl`] for the ids `.` and `..`, which no URL path can hold.
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

    /// The server's state and settings.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn health(&self) -> Result<HealthAnswer, QueryError> {
        self.answer(self.request(Method::GET, "/health")?).await
    }

    /// Deletes the entries that are older than the server's retention.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn cleanup(&self) -> Result<CleanupAnswer, QueryError> {
        self.answer(self.request(Method::DELETE, "/cleanup")?).await
    }

    /// Follows a chain: first its stored entries, then new ones as they are committed, for `timeout` (rounded up to
    /// whole seconds).
    ///
    /// # Errors
    /// [`QueryError`], as for [`get_traces`](Self::get_traces).
    pub async fn stream_traces(&self, correlation_id: &str, timeout: Duration) -> Result<TraceStream, QueryError> {
        let seconds = timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0);
        let request =
            self.request(Method::GET, &self.chain_path(correlation_id, "/stream")?)?.query(&[("timeout", seconds)]);
        let response = match tokio::time::timeout(self.timeout, request.send()).await {
            Ok(outcome) => outcome.map_err(|err| self.failure(&err))?,
            Err(_elapsed) => return Err(self.timed_out()),
        };
        let response = match tokio::time::timeout(self.timeout, self.check_status(response)).await {
            Ok(outcome) => outcome?,
            Err(_elapsed) => return Err(self.timed_out()),
        };
        TraceStream::open(response, self.base.as_str(), timeout.saturating_add(self.timeout))
    }

    /// `/traces/{id}` and what follows.
    fn chain_path(&self, correlation_id: &str, rest: &str) -> Result<String, QueryError> {
        if matches!(correlation_id, "." | "..") {
            // URLs resolve such a segment, also when it is percent-encoded: the request would go to another route.
            return Err(QueryError::InvalidUrl {
                url: self.base.join("/traces/"),
                reason: format!("the correlation id {correlation_id:?} cannot be part of a URL path"),
            });
        }
        Ok(format!("/traces/{}{rest}", utf8_percent_encode(correlation_id, SEGMENT)))
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, QueryError> {
        let request = self.http.request(method, self.base.join(path));
        match &self.secret {
            None => Ok(request),
            Some(secret) => match secret.header() {
                Some(value) => Ok(request.header(http::SECRET_HEADER, value)),
                None => Err(QueryError::InvalidSecret),
            },
        }
    }

    async fn answer<A: DeserializeOwned>(&self, request: RequestBuilder) -> Result<A, QueryError> {
        let response = request.timeout(self.timeout).send().await.map_err(|err| self.failure(&err))?;
        let response = self.check_status(response).await?;
        let body = http::read_body(response, MAX_ANSWER_BYTES)
            .await
            .map_err(|err| self.failure(&err))?
            .ok_or_else(|| self.malformed(format!("the answer has more than {MAX_ANSWER_BYTES} bytes")))?;
        serde_json::from_slice(&body).map_err(|err| self.malformed(err.to_string()))
    }

    /// The answer if its status is 200.
    async fn check_status(&self, response: Response) -> Result<Response, QueryError> {
        let status = response.status().as_u16();
        if status == 200 {
            return Ok(response);
        }
        // The status alone is an answer; a body that is long or breaks off only costs the message.
        let body = http::read_body(response, MAX_REFUSAL_BYTES).await.ok().flatten().unwrap_or_default();
        let message = http::refusal_message(&body);
        Err(match status {
            401 | 403 => QueryError::Unauthorized { status, message },
            _ => QueryError::Status { status, message },
        })
    }

    fn failure(&self, err: &reqwest::Error) -> QueryError {
        if err.is_timeout() {
            self.timed_out()
        } else {
            QueryError::Unreachable { url: self.url().to_owned(), reason: http::reason(err) }
        }
    }

    fn timed_out(&self) -> QueryError {
        QueryError::TimedOut { url: self.url().to_owned(), after: self.timeout }
    }

    fn malformed(&self, reason: String) -> QueryError {
        QueryError::Malformed { url: self.url().to_owned(), reason }
    }
}
