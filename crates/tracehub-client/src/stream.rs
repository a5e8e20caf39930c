//! Entries as they are committed: server-sent events of one connection become entries, within bounds of memory and time.

use std::time::Duration;

use bytes::BytesMut;
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use russe::{Decoder, Event, Message};
use serde::Deserialize;
use tokio::time::Instant;
use tokio_util::codec::Decoder as _;
use tracehub_core::TraceEntry;
use tracehub_core::wire::live::SHUTDOWN_EVENT;

use crate::error::QueryError;
use crate::http;

/// The most bytes of one event. An entry at the model's limits, each character escaped, is below it.
pub const MAX_EVENT_BYTES: usize = 16 << 20;

/// How much longer the silence may last for a caller that asks again only after it: bytes that came meanwhile may still
/// be on their way through the runtime.
const GRACE: Duration = Duration::from_secs(1);

/// What is expected of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course {
    /// When the server should long have ended it; none if it never need.
    pub(crate) allowed: Option<Duration>,
    /// How long it may be without a byte.
    pub(crate) silence: Duration,
}

/// What a stream brings.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every event is an entry, and callers take it apart at once")]
pub enum StreamEvent {
    /// One entry of the chain.
    Entry {
        /// The event's id, to resume after; the original server sends none.
        id: Option<i64>,
        /// The entry.
        entry: TraceEntry,
    },
    /// The last event: the stream has run its time.
    Timeout,
    /// The last event: the server stops.
    Shutdown,
}

/// A chain, or all of them, followed live over one connection. Ends with [`StreamEvent::Timeout`] or
/// [`StreamEvent::Shutdown`]; dropping it closes the connection.
#[derive(Debug)]
pub struct TraceStream {
    response: Response,
    decoder: Decoder,
    buffer: BytesMut,
    url: String,
    course: Course,
    /// When the server should long have ended the stream; none if it never need, or if that is beyond the clock.
    deadline: Option<Instant>,
    /// When the silence will have lasted too long; none if nobody waits yet.
    silent_until: Option<Instant>,
    graced: bool,
    last_id: Option<i64>,
    ended: bool,
}

impl TraceStream {
    /// Starts reading an answer.
    pub(crate) fn open(response: Response, url: &str, course: Course) -> Result<Self, QueryError> {
        let content_type = response.headers().get(CONTENT_TYPE);
        if !content_type.is_some_and(|value| value.as_bytes().starts_with(russe::MEDIA_TYPE_STR.as_bytes())) {
            return Err(QueryError::Malformed {
                url: url.to_owned(),
                reason: format!("the answer is not of the type {}", russe::MEDIA_TYPE_STR),
            });
        }
        Ok(Self {
            response,
            decoder: Decoder::default(),
            buffer: BytesMut::new(),
            url: url.to_owned(),
            course,
            deadline: course.allowed.and_then(|allowed| Instant::now().checked_add(allowed)),
            silent_until: None,
            graced: false,
            last_id: None,
            ended: false,
        })
    }

    /// The next event, or none once the stream has ended. Dropping the future loses nothing.
    ///
    /// An event that is no entry is [`QueryError::Malformed`], and the stream goes on after it; every other error ends
    /// it: [`QueryError::Unreachable`] if the connection broke, [`QueryError::TimedOut`] if the server fell silent or
    /// did not end the stream in time, [`QueryError::Malformed`] if an event has more than [`MAX_EVENT_BYTES`].
    pub async fn next(&mut self) -> Option<Result<StreamEvent, QueryError>> {
        while !self.ended {
            match self.decoder.decode(&mut self.buffer) {
                Ok(Some(Event::Message(message))) => {
                    self.last_id = event_id(&message).or(self.last_id);
                    match read_event(&message) {
                        Ok(Some(event)) => {
                            self.ended = !matches!(event, StreamEvent::Entry { .. });
                            return Some(Ok(event));
                        }
                        Ok(None) => {}
                        Err(err) => return Some(Err(self.malformed(err.to_string()))),
                    }
                }
                Ok(Some(Event::Comment(_) | Event::Retry(_))) => {}
                Ok(None) => {
                    if let Err(err) = self.receive().await {
                        self.ended = true;
                        return Some(Err(err));
                    }
                }
                Err(err) => return Some(Err(self.malformed(err.to_string()))),
            }
        }
        None
    }

    /// Waits for bytes that can end an event. Bytes without a line end cannot, so the buffer is not searched for each.
    async fn receive(&mut self) -> Result<(), QueryError> {
        loop {
            if self.buffer.len() > MAX_EVENT_BYTES {
                return Err(self.malformed(format!("an event has more than {MAX_EVENT_BYTES} bytes")));
            }
            let silence = self.silent_until();
            let (until, after) = match (self.deadline, self.course.allowed) {
                (Some(deadline), Some(allowed)) if deadline < silence => (deadline, allowed),
                _ => (silence, self.course.silence),
            };
            let chunk = match tokio::time::timeout_at(until, self.response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Err(self.unreachable("the connection closed before the stream's end".into())),
                Ok(Err(err)) => return Err(self.unreachable(http::reason(&err))),
                Err(_elapsed) => {
                    return Err(QueryError::TimedOut { url: self.url.clone(), after });
                }
            };
            (self.silent_until, self.graced) = (None, false);
            self.buffer.extend_from_slice(&chunk);
            if chunk.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
                return Ok(());
            }
        }
    }

    /// When the silence, which goes on while nobody asks, will have lasted too long.
    fn silent_until(&mut self) -> Instant {
        let now = Instant::now();
        let mut until = self.silent_until.unwrap_or(now + self.course.silence);
        if until <= now && !self.graced {
            self.graced = true;
            until = now + GRACE;
        }
        self.silent_until = Some(until);
        until
    }

    /// The id of the last event that had one, whatever it was.
    pub(crate) fn last_id(&self) -> Option<i64> {
        self.last_id
    }

    /// Whether nothing more will come.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    fn unreachable(&self, reason: String) -> QueryError {
        QueryError::Unreachable { url: self.url.clone(), reason }
    }

    fn malformed(&self, reason: String) -> QueryError {
        QueryError::Malformed { url: self.url.clone(), reason }
    }
}

/// An event's id, if it is an entry's.
fn event_id(message: &Message) -> Option<i64> {
    message.id.as_ref()?.parse().ok().filter(|id| *id > 0)
}

/// What an event means; none if it is of a kind that this version does not know.
fn read_event(message: &Message) -> Result<Option<StreamEvent>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Ending {
        #[serde(rename = "type")]
        kind: String,
    }
    match message.event.as_deref() {
        None | Some("" | "message") if message.data.is_empty() => return Ok(None),
        None | Some("" | "message") => {}
        Some(SHUTDOWN_EVENT) => return Ok(Some(StreamEvent::Shutdown)),
        Some(_) => return Ok(None),
    }
    match serde_json::from_str::<TraceEntry>(&message.data) {
        Ok(entry) => Ok(Some(StreamEvent::Entry { id: event_id(message), entry })),
        Err(err) => match serde_json::from_str::<Ending>(&message.data) {
            Ok(ending) if ending.kind == "timeout" => Ok(Some(StreamEvent::Timeout)),
            _ => Err(err),
        },
    }
}
