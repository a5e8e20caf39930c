//! One question over HTTP: the request, its deadline, the bounds of its answer, and what a refusal means.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;

use super::TraceHubQueryClient;
use crate::error::QueryError;
use crate::http;
use crate::stream::{Course, TraceStream};

/// The most bytes that are read of a refusal.
const MAX_REFUSAL_BYTES: usize = 64 << 10;
/// The most characters of a content type that are repeated.
const MAX_TYPE_CHARS: usize = 80;

/// Every byte of an id but the unreserved ones, so that an id is one segment of the path, whatever it holds.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Parameters of a request, by name.
pub(crate) type Parameters = Vec<(&'static str, String)>;

/// The header that says where a stream goes on.
const LAST_EVENT_ID: &str = "Last-Event-ID";

impl TraceHubQueryClient {
    /// `/traces/{id}` and what follows.
    pub(crate) fn chain_path(&self, correlation_id: &str, rest: &str) -> Result<String, QueryError> {
        if matches!(correlation_id, "" | "." | "..") {
            // URLs resolve such a segment, also when it is percent-encoded: the request would go to another route.
            return Err(QueryError::InvalidUrl {
                url: self.base.join("/traces/"),
                reason: format!("the correlation id {correlation_id:?} cannot be part of a URL path"),
            });
        }
        Ok(format!("/traces/{}{rest}", utf8_percent_encode(correlation_id, SEGMENT)))
    }

    pub(super) fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, QueryError> {
        let request = self.http.request(method, self.base.join(path));
        match &self.secret {
            None => Ok(request),
            Some(secret) => match secret.header() {
                Some(value) => Ok(request.header(http::SECRET_HEADER, value)),
                None => Err(QueryError::InvalidSecret),
            },
        }
    }

    pub(super) async fn answer<A: DeserializeOwned>(&self, request: RequestBuilder) -> Result<A, QueryError> {
        let response = request.timeout(self.timeout).send().await.map_err(|err| self.failure(&err))?;
        let response = self.check_status(response).await?;
        let kind = content_type(&response);
        let body = http::read_body(response, self.answer_limit)
            .await
            .map_err(|err| self.failure(&err))?
            .ok_or_else(|| self.malformed(format!("the answer has more than {} bytes", self.answer_limit)))?;
        serde_json::from_slice(&body).map_err(|err| match kind {
            Some(kind) if !kind.contains("json") => {
                self.malformed(format!("the answer is of the type {kind:?}: {err}"))
            }
            _ => self.malformed(err.to_string()),
        })
    }

    /// The answer of a route that the Python server lacks. Where it exists, it never answers 404.
    pub(super) async fn extended_answer<A: DeserializeOwned>(
        &self,
        what: &'static str,
        request: RequestBuilder,
    ) -> Result<A, QueryError> {
        self.answer(request).await.map_err(|err| self.or_unsupported(what, err))
    }

    /// A route that is not there is an unsupported question.
    pub(crate) fn or_unsupported(&self, what: &'static str, err: QueryError) -> QueryError {
        match err {
            QueryError::Status { status: 404, .. } => self.unsupported(what),
            other => other,
        }
    }

    /// Opens a stream of events and goes on after `after`.
    pub(crate) async fn open_stream(
        &self,
        path: &str,
        parameters: &Parameters,
        after: Option<i64>,
        course: Course,
    ) -> Result<TraceStream, QueryError> {
        let mut request = self.request(Method::GET, path)?.query(parameters);
        if let Some(after) = after {
            request = request.header(LAST_EVENT_ID, after);
        }
        let opening = async {
            let response = request.send().await.map_err(|err| self.failure(&err))?;
            self.check_status(response).await
        };
        match tokio::time::timeout(self.timeout, opening).await {
            Ok(response) => TraceStream::open(response?, self.url(), course),
            Err(_elapsed) => Err(self.timed_out()),
        }
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

    pub(super) fn failure(&self, err: &reqwest::Error) -> QueryError {
        if err.is_timeout() {
            self.timed_out()
        } else {
            QueryError::Unreachable { url: self.url().to_owned(), reason: http::reason(err) }
        }
    }

    fn timed_out(&self) -> QueryError {
        QueryError::TimedOut { url: self.url().to_owned(), after: self.timeout }
    }

    pub(crate) fn unsupported(&self, what: &'static str) -> QueryError {
        QueryError::Unsupported { url: self.url().to_owned(), what }
    }

    pub(super) fn malformed(&self, reason: String) -> QueryError {
        QueryError::Malformed { url: self.url().to_owned(), reason }
    }
}

fn content_type(response: &Response) -> Option<String> {
    let value = response.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.chars().take(MAX_TYPE_CHARS).collect())
}

/// A stream's time as its parameter: whole seconds, rounded up.
pub(crate) fn whole_seconds(time: Duration) -> i64 {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
