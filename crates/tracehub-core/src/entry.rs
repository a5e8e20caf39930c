//! The checkpoint itself: `TraceEntry`, its direction, its limits, and the checks that make one valid.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Longest correlation id, source id, suffix, operation or host name, in bytes of UTF-8.
///
/// Long enough for any id scheme in use (a W3C `traceparent` has 55), short enough to be an index key and a URL segment.
pub const MAX_NAME_BYTES: usize = 256;
/// Longest endpoint, in bytes. Endpoints are often URL paths; 2,048 is what browsers and proxies agree on for those.
pub const MAX_ENDPOINT_BYTES: usize = 2_048;
/// Longest direction, in bytes. `->` and `<-` have two; other texts are marks.
pub const MAX_DIRECTION_BYTES: usize = 16;
/// Longest `data` or `raw_line` of one entry, in bytes.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// Deepest nesting of objects and arrays in `data`.
///
/// JSON parsers commonly stop at 128 levels; an answer wraps `data` in three, so whatever is let in can be read back.
pub const MAX_DATA_DEPTH: usize = 120;
/// The host name of an entry that names none.
pub const UNKNOWN_HOSTNAME: &str = "unknown";

/// Which way a checkpoint was passed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Direction {
    /// `->`: the operation was entered.
    Enter,
    /// `<-`: the operation was left.
    Leave,
    /// Any other text of 1 to [`MAX_DIRECTION_BYTES`] bytes: a point inside the call that encloses it.
    Mark(Box<str>),
}

impl Direction {
    /// The text on the wire: `->`, `<-`, or the mark itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Enter => "->",
            Self::Leave => "<-",
            Self::Mark(text) => text,
        }
    }
}

impl From<&str> for Direction {
    fn from(text: &str) -> Self {
        match text {
            "->" => Self::Enter,
            "<-" => Self::Leave,
            other => Self::Mark(other.into()),
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Direction {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self::from(text.as_str()))
    }
}

/// One checkpoint, borrowed from wherever it lies: a request body, a row, a [`TraceEntry`].
#[derive(Debug, Clone, Copy)]
pub struct EntryRef<'a> {
    /// Who logged it, such as `MA`.
    pub source_id: &'a str,
    /// The chain it belongs to.
    pub correlation_id: &'a str,
    /// When it was logged: Unix time in milliseconds, finite.
    pub timestamp: f64,
    /// What tells checkpoints of one source and millisecond apart.
    pub suffix: &'a str,
    /// `->`, `<-` or a mark.
    pub direction: &'a str,
    /// The kind of operation, such as `REST`.
    pub operation: &'a str,
    /// The operation's name, such as `/api/agents`.
    pub endpoint: &'a str,
    /// A JSON object as the text that came in, or none.
    pub data: Option<&'a str>,
    /// The machine that logged it.
    pub hostname: &'a str,
    /// The log line it was taken from, or none.
    pub raw_line: Option<&'a str>,
}

/// Which field of an entry breaks which rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidEntry {
    /// The field's name on the wire.
    pub field: &'static str,
    /// The rule that it breaks.
    pub problem: Problem,
}

/// A rule that a field's value breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The field must have at least one byte.
    #[error("must not be empty")]
    Empty,
    /// The field has more bytes than it may have.
    #[error("must have at most {limit} bytes, has {bytes}")]
    TooLong {
        /// The most bytes it may have.
        limit: usize,
        /// The bytes it has.
        bytes: usize,
    },
    /// The field contains the character U+0000, which index keys and other stores cannot hold.
    #[error("must not contain the character U+0000")]
    Nul,
    /// The number is NaN or infinite.
    #[error("must be a finite number")]
    NotFinite,
    /// `data` is JSON, but not an object.
    #[error("must be a JSON object or null")]
    NotAnObject,
    /// `data` nests objects and arrays too deep.
    #[error("must nest at most {MAX_DATA_DEPTH} levels deep")]
    TooDeep,
    /// `data` holds a number that no double can hold, such as `1e400`.
    #[error("must not contain a number beyond the range of a double")]
    NumberOutOfRange,
    /// `data` holds half of a UTF-16 surrogate pair, which is no character.
    #[error("must not contain a lone surrogate escape")]
    LoneSurrogate,
}

impl EntryRef<'_> {
    /// Checks every rule that an entry must keep before it is stored.
    ///
    /// `data`, where present, must already be well-formed JSON.
    ///
    /// # Errors
    /// The first field, in wire order, that breaks a rule.
    pub fn validate(&self) -> Result<(), InvalidEntry> {
        check("source_id", name(self.source_id))?;
        check("correlation_id", non_empty(self.correlation_id).and_then(|()| name(self.correlation_id)))?;
        check("timestamp", if self.timestamp.is_finite() { Ok(()) } else { Err(Problem::NotFinite) })?;
        check("suffix", name(self.suffix))?;
        check("direction", direction(self.direction))?;
        check("operation", name(self.operation))?;
        check("endpoint", text(self.endpoint, MAX_ENDPOINT_BYTES))?;
        check("data", self.data.map_or(Ok(()), data))?;
        check("hostname", name(self.hostname))?;
        check("raw_line", self.raw_line.map_or(Ok(()), |line| at_most(line, MAX_TEXT_BYTES)))
    }

    /// Whether this entry is an enter (`->`).
    #[must_use]
    pub fn is_enter(&self) -> bool {
        self.direction == "->"
    }

    /// Whether this entry is a leave (`<-`).
    #[must_use]
    pub fn is_leave(&self) -> bool {
        self.direction == "<-"
    }
}

fn check(field: &'static str, outcome: Result<(), Problem>) -> Result<(), InvalidEntry> {
    outcome.map_err(|problem| InvalidEntry { field, problem })
}

fn non_empty(value: &str) -> Result<(), Problem> {
    if value.is_empty() { Err(Problem::Empty) } else { Ok(()) }
}

fn at_most(value: &str, limit: usize) -> Result<(), Problem> {
    if value.len() <= limit { Ok(()) } else { Err(Problem::TooLong { limit, bytes: value.len() }) }
}

fn text(value: &str, limit: usize) -> Result<(), Problem> {
    at_most(value, limit)?;
    if value.as_bytes().contains(&0) { Err(Problem::Nul) } else { Ok(()) }
}

fn name(value: &str) -> Result<(), Problem> {
    text(value, MAX_NAME_BYTES)
}

fn direction(value: &str) -> Result<(), Problem> {
    non_empty(value)?;
    text(value, MAX_DIRECTION_BYTES)
}

/// Checks `data`, given as well-formed JSON, for what a later reader could not take.
fn data(json: &str) -> Result<(), Problem> {
    at_most(json, MAX_TEXT_BYTES)?;
    if !json.starts_with('{') {
        return Err(Problem::NotAnObject);
    }
    crate::wire::scan::check_readable(json, MAX_DATA_DEPTH)
}

/// One checkpoint, owned. Built with [`TraceEntry::builder`], or read from a server's answer.
///
/// An entry that the builder made keeps every limit of this module. An entry that was read is as the server stored it.
#[derive(Debug, Clone, Deserialize)]
pub struct TraceEntry {
    source_id: String,
    correlation_id: String,
    timestamp: f64,
    suffix: String,
    direction: Direction,
    operation: String,
    endpoint: String,
    #[serde(default)]
    data: Option<Box<RawValue>>,
    #[serde(default = "unknown_hostname")]
    hostname: String,
    #[serde(default)]
    raw_line: Option<String>,
}

fn unknown_hostname() -> String {
    UNKNOWN_HOSTNAME.to_owned()
}

impl TraceEntry {
    /// Starts an entry of a chain, logged by `source_id`. The fields that are not set afterwards are: direction `->`,
    /// timestamp 0, suffix, operation and endpoint empty, no `data`, host name `unknown`, no `raw_line`.
    ///
    /// ```
    /// use tracehub_core::{Direction, TraceEntry};
    ///
    /// let entry = TraceEntry::builder("MA", "order-42")
    ///     .direction(Direction::Enter)
    ///     .operation("REST")
    ///     .endpoint("/api/orders")
    ///     .timestamp(1_706_803_200_123.0)
    ///     .suffix("x7K")
    ///     .data_json(r#"{"items":3}"#)
    ///     .build()?;
    /// assert_eq!(entry.endpoint(), "/api/orders");
    /// # Ok::<(), tracehub_core::InvalidEntry>(())
    /// ```
    pub fn builder(source_id: impl Into<String>, correlation_id: impl Into<String>) -> TraceEntryBuilder {
        TraceEntryBuilder {
            entry: Self {
                source_id: source_id.into(),
                correlation_id: correlation_id.into(),
                timestamp: 0.0,
                suffix: String::new(),
                direction: Direction::Enter,
                operation: String::new(),
                endpoint: String::new(),
                data: None,
                hostname: unknown_hostname(),
                raw_line: None,
            },
            data: None,
        }
    }

    /// Borrows every field at once.
    #[must_use]
    pub fn as_ref(&self) -> EntryRef<'_> {
        EntryRef {
            source_id: &self.source_id,
            correlation_id: &self.correlation_id,
            timestamp: self.timestamp,
            suffix: &self.suffix,
            direction: self.direction.as_str(),
            operation: &self.operation,
            endpoint: &self.endpoint,
            data: self.data(),
            hostname: &self.hostname,
            raw_line: self.raw_line.as_deref(),
        }
    }

    /// Who logged it.
    #[must_use]
    pub fn source_id(&self) -> &str {
        &self.source_id
    }

    /// The chain it belongs to.
    #[must_use]
    pub fn correlation_id(&self) -> &str {
        &self.correlation_id
    }

    /// Unix time in milliseconds.
    #[must_use]
    pub fn timestamp(&self) -> f64 {
        self.timestamp
    }

    /// What tells checkpoints of one source and millisecond apart.
    #[must_use]
    pub fn suffix(&self) -> &str {
        &self.suffix
    }

    /// Enter, leave or mark.
    #[must_use]
    pub fn direction(&self) -> &Direction {
        &self.direction
    }

    /// The kind of operation.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// The operation's name.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The JSON object logged with it, as text, or none.
    #[must_use]
    pub fn data(&self) -> Option<&str> {
        self.data.as_deref().map(RawValue::get)
    }

    /// The machine that logged it.
    #[must_use]
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// The log line it was taken from, or none.
    #[must_use]
    pub fn raw_line(&self) -> Option<&str> {
        self.raw_line.as_deref()
    }
}

/// Two entries are equal when every field is, `data` compared as text.
impl PartialEq for TraceEntry {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.as_ref(), other.as_ref());
        a.source_id == b.source_id
            && a.correlation_id == b.correlation_id
            && a.timestamp.to_bits() == b.timestamp.to_bits()
            && a.suffix == b.suffix
            && a.direction == b.direction
            && a.operation == b.operation
            && a.endpoint == b.endpoint
            && a.data == b.data
            && a.hostname == b.hostname
            && a.raw_line == b.raw_line
    }
}

/// Collects the fields of a [`TraceEntry`]; [`build`](Self::build) checks them.
#[derive(Debug, Clone)]
#[must_use = "call build() to get the entry"]
pub struct TraceEntryBuilder {
    entry: TraceEntry,
    data: Option<String>,
}

impl TraceEntryBuilder {
    /// Sets enter, leave or mark.
    pub fn direction(mut self, direction: Direction) -> Self {
        self.entry.direction = direction;
        self
    }

    /// Sets the kind of operation, such as `REST`; at most [`MAX_NAME_BYTES`] bytes.
    pub fn operation(mut self, operation: impl Into<String>) -> Self {
        self.entry.operation = operation.into();
        self
    }

    /// Sets the operation's name; at most [`MAX_ENDPOINT_BYTES`] bytes.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.entry.endpoint = endpoint.into();
        self
    }

    /// Sets the Unix time in milliseconds; finite.
    pub fn timestamp(mut self, unix_ms: f64) -> Self {
        self.entry.timestamp = unix_ms;
        self
    }

    /// Sets what tells this entry from others of its source and millisecond; at most [`MAX_NAME_BYTES`] bytes.
    pub fn suffix(mut self, suffix: impl Into<String>) -> Self {
        self.entry.suffix = suffix.into();
        self
    }

    /// Sets `data`, a JSON object as text; at most [`MAX_TEXT_BYTES`] bytes, [`MAX_DATA_DEPTH`] levels deep.
    pub fn data_json(mut self, json: impl Into<String>) -> Self {
        self.data = Some(json.into());
        self
    }

    /// Sets the machine's name; at most [`MAX_NAME_BYTES`] bytes.
    pub fn hostname(mut self, hostname: impl Into<String>) -> Self {
        self.entry.hostname = hostname.into();
        self
    }

    /// Sets the log line that the entry was taken from; at most [`MAX_TEXT_BYTES`] bytes.
    pub fn raw_line(mut self, raw_line: impl Into<String>) -> Self {
        self.entry.raw_line = Some(raw_line.into());
        self
    }

    /// Checks the fields and gives the entry.
    ///
    /// # Errors
    /// The first field that breaks a limit of [`crate::entry`].
    pub fn build(self) -> Result<TraceEntry, InvalidEntry> {
        let Self { mut entry, data } = self;
        if let Some(json) = data {
            let raw = RawValue::from_string(json)
                .map_err(|_| InvalidEntry { field: "data", problem: Problem::NotAnObject })?;
            entry.data = Some(raw);
        }
        entry.as_ref().validate()?;
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem_of(builder: TraceEntryBuilder) -> InvalidEntry {
        builder.build().expect_err("the entry breaks a rule")
    }

    #[test]
    fn a_valid_entry_gives_back_what_was_set() {
        let entry = TraceEntry::builder("MA", "c1")
            .direction(Direction::from("!"))
            .timestamp(7.5)
            .data_json(r#"{"b":1,"a":18446744073709551616}"#)
            .hostname("web-1")
            .build()
            .unwrap();
        assert_eq!(entry.direction(), &Direction::Mark("!".into()));
        assert_eq!(entry.data(), Some(r#"{"b":1,"a":18446744073709551616}"#));
        assert_eq!(entry.hostname(), "web-1");
    }

    #[test]
    fn each_broken_rule_names_its_field() {
        let entry = || TraceEntry::builder("MA", "c1");
        let cases = [
            (TraceEntry::builder("MA", ""), "correlation_id", Problem::Empty),
            (TraceEntry::builder("MA", "a\0b"), "correlation_id", Problem::Nul),
            (TraceEntry::builder("x".repeat(257), "c"), "source_id", Problem::TooLong { limit: 256, bytes: 257 }),
            (entry().timestamp(f64::NAN), "timestamp", Problem::NotFinite),
            (entry().direction(Direction::from("")), "direction", Problem::Empty),
            (entry().direction("a mark that is long".into()), "direction", Problem::TooLong { limit: 16, bytes: 19 }),
            (entry().data_json("[1]"), "data", Problem::NotAnObject),
            (entry().data_json("{"), "data", Problem::NotAnObject),
            (entry().data_json(r#"{"a":1e400}"#), "data", Problem::NumberOutOfRange),
        ];
        for (builder, field, problem) in cases {
            assert_eq!(problem_of(builder), InvalidEntry { field, problem });
        }
    }

    #[test]
    fn an_entry_of_a_server_is_read_without_the_limits() {
        let json = format!(
            r#"{{"source_id":"","correlation_id":"{}","timestamp":1,"suffix":"","direction":"","operation":"","endpoint":"","data":null}}"#,
            "x".repeat(300)
        );
        let entry: TraceEntry = serde_json::from_str(&json).unwrap();
        assert_eq!((entry.hostname(), entry.data(), entry.correlation_id().len()), ("unknown", None, 300));
    }
}
