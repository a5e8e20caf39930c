//! How a request is refused: stable codes, and faults that name the field, in the original's shape.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::health::ReadyChecks;

/// Why a request was refused, for programs. The text is stable; messages are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request cannot be read at all: not UTF-8, a malformed path.
    BadRequest,
    /// The request can be read, but a field breaks a rule; `detail` names each.
    Invalid,
    /// There is no such route.
    NotFound,
    /// The route has no such method; `Allow` lists those it has.
    MethodNotAllowed,
    /// The request did not arrive in time: its head or its body.
    RequestTimeout,
    /// The connection ended before the body did; nothing of it was taken. Send it again.
    BodyIncomplete,
    /// The path with its query has too many bytes.
    UriTooLong,
    /// There are too many headers, or they have too many bytes.
    HeadTooLarge,
    /// The body has too many bytes.
    BodyTooLarge,
    /// The batch has too many entries.
    TooManyEntries,
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// The body is compressed in a way that is not known.
    UnsupportedEncoding,
    /// The server has as much waiting as it may have. Try again after `retry_after`.
    Overloaded,
    /// The server is stopping. Try again after `retry_after`.
    ShuttingDown,
    /// The server cannot do its work now; `checks` says what is missing. Ask again after `retry_after`.
    NotReady,
    /// The store could not take or give what was asked. Try again after `retry_after`.
    StorageUnavailable,
    /// The disk is too full for more entries; reading goes on. Try again after `retry_after`.
    StorageFull,
    /// Another program holds the database. Try again after `retry_after`.
    StorageBusy,
    /// The file system lets nothing be changed; reading goes on. Try again after `retry_after`.
    StorageReadonly,
    /// The question took longer than one may. Ask for less, or again after `retry_after`.
    QueryTimeout,
    /// There are as many streams as there may be, in all or of this address. Try again after `retry_after`.
    TooManyStreams,
    /// The chain has too many entries to be analysed.
    ChainTooLarge,
    /// The route asks for a secret, and none was sent.
    Unauthorized,
    /// The secret is wrong, or not the one for this route.
    Forbidden,
    /// A page of another origin sends this through a browser.
    BadOrigin,
    /// The request is for a server of another name.
    BadHost,
    /// Too many wrong secrets came from this address. Try again after `retry_after`.
    TooManyAttempts,
    /// This address sends more entries than one may. Try again after `retry_after`.
    RateLimited,
    /// There are as many connections as there may be. Try again after `retry_after`.
    TooManyConnections,
    /// A fault of the server; its log says which.
    Internal,
}

impl ErrorCode {
    /// The text that is sent for it.
    #[must_use]
    pub fn name(self) -> String {
        // A variant without fields is written as its name in quotes.
        serde_json::to_string(&self).unwrap_or_default().trim_matches('"').to_owned()
    }
}

/// The body of every refusal.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorBody {
    /// Why, for programs.
    pub error: ErrorCode,
    /// Why, for people.
    pub message: String,
    /// What the original says in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
    /// When to try again, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// Of `GET /readyz`: each thing that was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<ReadyChecks>,
}

/// The original's `detail`: a sentence, or a fault for each field.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Detail {
    /// A sentence.
    Text(&'static str),
    /// A fault for each field.
    Fields(Vec<FieldError>),
}

/// One step of the way to a faulty field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Location {
    /// An object's key, or `body`, `query`, `path`.
    Key(Cow<'static, str>),
    /// An array's index, or a byte of the body.
    Index(usize),
}

impl From<&'static str> for Location {
    fn from(key: &'static str) -> Self {
        Self::Key(Cow::Borrowed(key))
    }
}

impl From<usize> for Location {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FieldError {
    /// The kind of fault, such as `missing` or `string_type`.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The way to the field, such as `["body", "traces", 0, "timestamp"]`.
    pub loc: Vec<Location>,
    /// What was expected.
    pub msg: String,
}

impl FieldError {
    /// A fault of `kind` at `loc`; `msg` says what was expected.
    #[must_use]
    pub fn new(kind: &'static str, loc: Vec<Location>, msg: impl Into<String>) -> Self {
        Self { kind: Cow::Borrowed(kind), loc, msg: msg.into() }
    }

    /// One sentence for a list of faults: the first, and how many more.
    #[must_use]
    pub fn summary(faults: &[Self]) -> String {
        match faults {
            [] => "the request is not valid".to_owned(),
            [only] => only.to_string(),
            [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
        }
    }
}

/// `body.traces[3].timestamp: …`
impl fmt::Display for FieldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, step) in self.loc.iter().enumerate() {
            match step {
                Location::Key(key) if depth == 0 => write!(formatter, "{key}")?,
                Location::Key(key) => write!(formatter, ".{key}")?,
                Location::Index(index) => write!(formatter, "[{index}]")?,
            }
        }
        write!(formatter, ": {}", self.msg)
    }
}
