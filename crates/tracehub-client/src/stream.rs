//! Entries as they are committed: server-sent events of one connection become entries, within bounds of memory and time.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tokio::time::Instant;

use crate::error::QueryError;
use crate::events::{EventReader, MAX_EVENT_BYTES, StreamEvent};
use crate::http;

/// How much longer the silence may last for a caller that asks again only after it: bytes that came meanwhile may still
/// be on their way through the runtime.
const GRACE: Duration = Duration::from_secs(1);

/// What is expected of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course {
    /// When the server should long have ended it, unless entries still come; none if it never need.
    pub(crate) allowed: Option<Duration>,
    /// How long it may take after an entry to send the next or to end, beyond its time.
    pub(crate) patience: Duration,
    /// How long it may be without a byte.
    pub(crate) silence: Duration,
    /// Whether it ends with what is stored. The server may look for long at what is not wanted then, and says no more
    /// meanwhile than that it is there.
    pub(crate) is_history: bool,
}

/// A chain, or all of them, followed live over one connection. Ends with [`StreamEvent::Timeout`] or
/// [`StreamEvent::Shutdown`]; dropping it closes the connection.
#[derive(Debug)]
pub struct TraceStream {
    response: Response,
    events: EventReader,
    url: String,
    course: Course,
    /// When the server should long have ended the stream; none if it never need, or if that is beyond the clock.
    deadline: Option<Instant>,
    /// When the silence will have lasted too long; none if nobody waits yet.
    silent_until: Option<Instant>,
    graced: bool,
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
            events: EventReader::default(),
            url: url.to_owned(),
            course,
            deadline: course.allowed.and_then(|allowed| Instant::now().checked_add(allowed)),
            silent_until: None,
            graced: false,
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
            match self.events.next() {
                Some(Ok(event)) => {
                    self.ended = !matches!(event, StreamEvent::Entry { .. });
                    self.put_off_deadline();
                    return Some(Ok(event));
                }
                Some(Err(reason)) => return Some(Err(self.malformed(reason))),
                None => {
                    if let Err(err) = self.receive().await {
                        self.ended = true;
                        return Some(Err(err));
                    }
                }
            }
        }
        None
    }

    /// Waits for bytes that can end an event.
    async fn receive(&mut self) -> Result<(), QueryError> {
        loop {
            if self.events.is_too_long() {
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
            if self.course.is_history {
                self.put_off_deadline();
            }
            if self.events.push(&chunk) {
                return Ok(());
            }
        }
    }

    /// What is stored may take longer than the stream's time: as long as entries come, a server is not late.
    fn put_off_deadline(&mut self) {
        let more = Instant::now().checked_add(self.course.patience);
        if self.deadline.is_some_and(|deadline| more.is_some_and(|more| deadline < more)) {
            self.deadline = more;
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
        self.events.last_id()
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
