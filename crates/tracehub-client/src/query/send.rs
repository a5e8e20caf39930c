//! Entries with an answer to each request: for programs that load what they have and want to know what became of it.
//! [`TraceHubClient`](crate::TraceHubClient) is for those who log.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use tracehub_core::wire::error::{FieldError, Location};
use tracehub_core::wire::ingest::IngestAnswer;

use super::TraceHubQueryClient;
use crate::error::QueryError;
use crate::http;
use crate::transport::retry_after;

/// The most bytes that are read of an answer. A refusal names each fault of up to 10,000 entries.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// What a server said to a batch of entries.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum IngestReply {
    /// All are stored.
    Stored(IngestAnswer),
    /// None is stored.
    #[non_exhaustive]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the server said, shortened.
        message: String,
        /// How long it asks to wait before the same entries come again.
        retry_after: Option<Duration>,
        /// The entries that it names as the reason; it need not name any, nor all.
        faults: Vec<IngestFault>,
    },
}

/// An entry that a server refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestFault {
    /// Its place in the batch.
    pub entry: usize,
    /// What is wrong, such as `timestamp: Field required`.
    pub reason: String,
}

impl TraceHubQueryClient {
    /// Sends entries, each the text of a JSON object, in one request, and gives what the server said. Nothing is retried.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), tracehub_client::QueryError> {
    /// use tracehub_client::{IngestReply, TraceHubQueryClient};
    ///
    /// let client = TraceHubQueryClient::new("http://127.0.0.1:8099")?;
    /// let line = r#"{"source_id":"MA","correlation_id":"order-42","timestamp":1706803200123,"suffix":"x7K","direction":"->","operation":"REST","endpoint":"/orders"}"#;
    /// match client.ingest([line]).await? {
    ///     IngestReply::Stored(answer) => assert_eq!(answer.accepted, 1),
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`QueryError`] if there was no answer, the secret is not right, or the answer counts other entries than were sent.
    /// The entries may be stored all the same: sent again, those are duplicates.
    pub async fn ingest<'a>(&self, entries: impl IntoIterator<Item = &'a str>) -> Result<IngestReply, QueryError> {
        let (body, count) = body_of(entries);
        let request = self.request(Method::POST, "/ingest")?;
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body);
        let response = request.timeout(self.timeout).send().await.map_err(|err| self.failure(&err))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let answer = http::read_body(response, MAX_ANSWER_BYTES).await;
        if status != 200 {
            // The status alone decides; a body that is long or breaks off only costs the message.
            let answer = answer.ok().flatten().unwrap_or_default();
            let message = http::refusal_message(&answer);
            return match status {
                401 | 403 => Err(QueryError::Unauthorized { status, message }),
                _ => Ok(IngestReply::Refused { status, message, retry_after, faults: faults(&answer, count) }),
            };
        }
        let answer = answer.map_err(|err| self.failure(&err))?.unwrap_or_default();
        let answer: IngestAnswer = serde_json::from_slice(&answer).map_err(|err| self.malformed(err.to_string()))?;
        if answer.accepted != count as u64 || answer.inserted.checked_add(answer.duplicates) != Some(answer.accepted) {
            return Err(self.malformed(format!("it was sent {count} entries and answers {answer:?}")));
        }
        Ok(IngestReply::Stored(answer))
    }
}

fn body_of<'a>(entries: impl IntoIterator<Item = &'a str>) -> (Bytes, usize) {
    let mut body = b"{\"traces\":[".to_vec();
    let mut count = 0;
    for entry in entries {
        if count > 0 {
            body.push(b',');
        }
        body.extend_from_slice(entry.as_bytes());
        count += 1;
    }
    body.extend_from_slice(b"]}");
    (body.into(), count)
}

/// The entries that a refusal names: `detail[].loc` is `["body", "traces", place, …]` at both servers.
fn faults(answer: &[u8], count: usize) -> Vec<IngestFault> {
    #[derive(Deserialize)]
    struct Refusal {
        detail: Vec<FieldError>,
    }
    let Ok(Refusal { detail }) = serde_json::from_slice(answer) else { return Vec::new() };
    let mut faults: Vec<IngestFault> = Vec::new();
    for fault in detail {
        let Some(Location::Index(entry)) = fault.loc.get(2).filter(|_| fault.loc.len() >= 3).cloned() else { continue };
        if entry >= count {
            continue;
        }
        let rest: Vec<String> = fault.loc.iter().skip(3).map(name).collect();
        let field = if rest.is_empty() { String::new() } else { format!("{}: ", rest.join(".")) };
        let reason = format!("{field}{}", fault.msg);
        match faults.iter_mut().find(|known| known.entry == entry) {
            Some(known) => known.reason = format!("{}; {reason}", known.reason),
            None => faults.push(IngestFault { entry, reason }),
        }
    }
    faults
}

fn name(step: &Location) -> String {
    match step {
        Location::Key(key) => key.chars().filter(|character| !character.is_control()).collect(),
        Location::Index(index) => index.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_what_the_server_takes_whatever_the_number() {
        assert_eq!(body_of([]).0, "{\"traces\":[]}");
        assert_eq!(body_of(["{}", "{\"a\":1}"]), (Bytes::from_static(b"{\"traces\":[{},{\"a\":1}]}"), 2));
    }

    #[test]
    fn faults_name_their_entry_once_and_only_those_that_were_sent() {
        let answer = br#"{"error":"invalid","message":"m","detail":[
            {"type":"missing","loc":["body","traces",1,"suffix"],"msg":"Field required"},
            {"type":"missing","loc":["body","traces",1,"endpoint"],"msg":"Field required"},
            {"type":"x","loc":["body","traces",2],"msg":"Input should be a valid dictionary"},
            {"type":"x","loc":["body","traces",3],"msg":"beyond"},
            {"type":"x","loc":["body","traces"],"msg":"the list"},
            {"type":"json_invalid","loc":["body",12],"msg":"a byte"}]}"#;
        let named: Vec<_> = faults(answer, 3).into_iter().map(|fault| (fault.entry, fault.reason)).collect();
        assert_eq!(
            named,
            [
                (1, "suffix: Field required; endpoint: Field required".to_owned()),
                (2, "Input should be a valid dictionary".to_owned())
            ]
        );
        assert!(faults(b"{\"detail\":\"Not Found\"}", 3).is_empty());
    }
}
