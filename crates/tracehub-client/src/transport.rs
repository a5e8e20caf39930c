//! The wire: one request body out, what came of it back; and its test double.

use std::time::Duration;

use bytes::Bytes;
use reqwest::RequestBuilder;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use tracehub_core::wire::ingest::IngestAnswer;

use crate::compression::{Compression, ENCODING};
use crate::http::{self, BaseUrl};
use crate::trust::Trust;

/// The most bytes that are read of an answer.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server has stored the batch, and says how many entries it counted.
    Acknowledged { accepted: u64 },
    /// The server answered with another status than 200.
    Refused { status: u16, retry_after: Option<Duration>, message: String },
    /// The status was 200, but the answer is not one of a TraceHub server.
    Unknown,
    /// There was no answer: no connection, or a broken one.
    Unreachable { reason: String },
    /// There was no answer in time: the body may be too much for the way. A connection that is not made looks the same.
    TimedOut { reason: String },
}

/// Carries request bodies to a server.
pub(crate) trait Transport {
    /// Sends one body; each request that it takes ends within the transport's timeout.
    async fn post(&self, body: Bytes) -> Outcome;
}

/// HTTP to `POST /ingest`.
#[derive(Debug)]
pub(crate) struct HttpTransport {
    http: reqwest::Client,
    url: String,
    headers: HeaderMap,
    timeout: Duration,
    compression: Compression,
}

impl HttpTransport {
    /// Must be called, used and dropped on the thread whose runtime drives it.
    pub(crate) fn new(
        base: &BaseUrl,
        trust: &Trust,
        secret: Option<HeaderValue>,
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(secret) = secret {
            headers.insert(http::SECRET_HEADER, secret);
        }
        let compression = Compression::default();
        Ok(Self { http: http::client(base, trust)?, url: base.join("/ingest"), headers, timeout, compression })
    }

    fn request(&self) -> RequestBuilder {
        self.http.post(&self.url).headers(self.headers.clone()).timeout(self.timeout)
    }

    async fn exchange(&self, body: Bytes) -> Result<Outcome, reqwest::Error> {
        let Some(compressed) = self.compression.compress(&body) else {
            return self.ask(self.request().body(body)).await;
        };
        let outcome = self.ask(self.request().header(CONTENT_ENCODING, ENCODING).body(compressed)).await?;
        // Perhaps it is another server than the one that offered it, behind the same name. One that knows of
        // compression answers 415; one that does not, such as the original, takes the body for noise.
        let Outcome::Refused { status: status @ (400 | 415 | 422), .. } = outcome else { return Ok(outcome) };
        if status == 415 {
            self.compression.refuse();
        }
        let outcome = self.ask(self.request().body(body)).await?;
        if matches!(outcome, Outcome::Acknowledged { .. }) {
            // A body that is bad both ways says nothing of compression.
            self.compression.refuse();
        }
        Ok(outcome)
    }

    /// One request and what came of it.
    async fn ask(&self, request: RequestBuilder) -> Result<Outcome, reqwest::Error> {
        let response = request.send().await?;
        self.compression.learn(response.headers());
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let answer = http::read_body(response, MAX_ANSWER_BYTES).await;
        if status != 200 {
            // The status alone decides; a body that is long or breaks off only costs the message.
            let message = http::refusal_message(&answer.ok().flatten().unwrap_or_default());
            return Ok(Outcome::Refused { status, retry_after, message });
        }
        let answer = answer?.and_then(|body| serde_json::from_slice::<IngestAnswer>(&body).ok());
        Ok(answer.map_or(Outcome::Unknown, |answer| Outcome::Acknowledged { accepted: answer.accepted }))
    }
}

impl Transport for HttpTransport {
    async fn post(&self, body: Bytes) -> Outcome {
        self.exchange(body).await.unwrap_or_else(|err| {
            let reason = http::reason(&err);
            if err.is_timeout() && !err.is_connect() {
                Outcome::TimedOut { reason }
            } else {
                Outcome::Unreachable { reason }
            }
        })
    }
}

/// `Retry-After` in seconds. Its other form, a date, is not what TraceHub servers send and counts as none.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// A server in memory: answers by a function of the request's number and body, and keeps every body.
#[cfg(test)]
pub(crate) mod double {
    use std::sync::{Mutex, PoisonError};

    use super::{Bytes, Outcome, Transport};

    /// Answers the request with this number, counted from 0; none is a server that never answers.
    type Answer = Box<dyn Fn(usize, &Bytes) -> Option<Outcome> + Send + Sync>;

    pub(crate) struct Double {
        answer: Answer,
        bodies: Mutex<Vec<Bytes>>,
        reports: Mutex<Vec<Bytes>>,
    }

    impl Double {
        pub(crate) fn new(answer: impl Fn(usize, &Bytes) -> Option<Outcome> + Send + Sync + 'static) -> Self {
            Self { answer: Box::new(answer), bodies: Mutex::default(), reports: Mutex::default() }
        }

        /// What was sent, without the client's own reports.
        pub(crate) fn bodies(&self) -> Vec<Bytes> {
            self.bodies.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }

        /// The client's own reports of losses. They are always acknowledged.
        pub(crate) fn reports(&self) -> Vec<String> {
            let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
            reports.iter().map(|report| String::from_utf8_lossy(report).into_owned()).collect()
        }
    }

    impl Transport for Double {
        async fn post(&self, body: Bytes) -> Outcome {
            if body.starts_with(br#"{"traces":[{"source_id":"tracehub-client""#) {
                self.reports.lock().unwrap_or_else(PoisonError::into_inner).push(body);
                return Outcome::Acknowledged { accepted: 1 };
            }
            let number = {
                let mut bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
                bodies.push(body.clone());
                bodies.len() - 1
            };
            match (self.answer)(number, &body) {
                Some(outcome) => outcome,
                None => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_counts_in_seconds_only() {
        for (text, expected) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("-1", None),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
            ("99999999999999999999999", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{text}");
        }
    }
}
