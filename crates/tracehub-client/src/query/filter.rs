//! How a question is narrowed: chains, newest entries and live entries, by what they are and where they were logged.

use std::time::Duration;

use tracehub_core::query::PlaceFilter;
use tracehub_core::store::EntryId;

use super::ask::{Parameters, whole_seconds};

/// Whether a chain has come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChainStatus {
    /// At least one enter, and as many leaves as enters.
    Complete,
    /// Anything else: a request that has not come back, or never will.
    Incomplete,
}

/// How the clocks of hosts are taken when calls are analysed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Clocks {
    /// Clocks that are off are set right for the answer, which says by how much.
    #[default]
    Corrected,
    /// Times are taken as they were logged.
    AsLogged,
}

impl Clocks {
    /// The parameter `skew`.
    pub(super) fn skew(self) -> &'static str {
        match self {
            Self::Corrected => "on",
            Self::AsLogged => "off",
        }
    }
}

/// A question for a list of chains. What is not set, or set to an empty text, does not restrict.
///
/// The Python server knows the limit alone: the rest is [`QueryError::Unsupported`](crate::QueryError::Unsupported) there.
///
/// ```
/// use tracehub_client::{ChainStatus, CorrelationQuery};
///
/// let stuck = CorrelationQuery::new().status(ChainStatus::Incomplete).source("MA").min_duration_ms(500.0).limit(20);
/// assert_ne!(stuck, CorrelationQuery::new());
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
pub struct CorrelationQuery {
    limit: Option<u32>,
    status: Option<ChainStatus>,
    place: PlaceFilter,
    prefix: Option<String>,
    min_duration_ms: Option<f64>,
    since: Option<f64>,
    cursor: Option<EntryId>,
}

impl CorrelationQuery {
    /// Every chain, the most recently active first, as many as the server gives unasked (50).
    pub fn new() -> Self {
        Self::default()
    }

    /// The most chains of one answer, 0 to 10,000.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Only chains that are complete, or that are not.
    pub fn status(mut self, status: ChainStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Only chains with an entry that this source logged. All of source, endpoint, host and operation must hold of one
    /// entry.
    pub fn source(mut self, source_id: impl Into<String>) -> Self {
        self.place.source_id = Some(source_id.into());
        self
    }

    /// Only chains with an entry of this endpoint.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.place.endpoint = Some(endpoint.into());
        self
    }

    /// Only chains with an entry of this host.
    pub fn host(mut self, hostname: impl Into<String>) -> Self {
        self.place.hostname = Some(hostname.into());
        self
    }

    /// Only chains with an entry of this operation.
    pub fn operation(mut self, operation: impl Into<String>) -> Self {
        self.place.operation = Some(operation.into());
        self
    }

    /// Only chains whose id begins with this.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Only chains that took so long from their first to their last timestamp, in ms.
    pub fn min_duration_ms(mut self, duration_ms: f64) -> Self {
        self.min_duration_ms = Some(duration_ms);
        self
    }

    /// Only chains of which something arrived at this time or later, Unix ms.
    pub fn since(mut self, unix_ms: f64) -> Self {
        self.since = Some(unix_ms);
        self
    }

    /// Goes on after a page: its `next_cursor`.
    pub fn cursor(mut self, cursor: impl Into<EntryId>) -> Self {
        self.cursor = Some(cursor.into());
        self
    }

    pub(super) fn cursor_is(&self) -> Option<EntryId> {
        self.cursor
    }

    pub(super) fn limit_is(&self) -> Option<u32> {
        self.limit
    }

    /// Whether a server that knows the limit alone would answer something else than was asked.
    pub(super) fn is_filtered(&self) -> bool {
        self.parameters().iter().any(|(name, _)| !matches!(*name, "limit" | "include"))
    }

    pub(super) fn parameters(&self) -> Parameters {
        // It costs nothing, and shows whether the server knows the other parameters.
        let mut parameters = vec![("include", "complete".to_owned())];
        set(&mut parameters, "limit", self.limit);
        let status = self.status.map(|status| match status {
            ChainStatus::Complete => "complete",
            ChainStatus::Incomplete => "incomplete",
        });
        set(&mut parameters, "status", status);
        set_place(&mut parameters, &self.place);
        set_text(&mut parameters, "q", self.prefix.as_deref());
        set(&mut parameters, "min_duration_ms", self.min_duration_ms);
        set(&mut parameters, "since", self.since);
        set(&mut parameters, "cursor", self.cursor);
        parameters
    }
}

/// A question for the newest entries of all chains.
///
/// ```
/// use tracehub_client::RecentQuery;
///
/// let next = RecentQuery::new().since_id(1_200).limit(500).source("MA");
/// assert_ne!(next, RecentQuery::new());
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
pub struct RecentQuery {
    since_id: Option<EntryId>,
    since: Option<f64>,
    limit: Option<u32>,
    source: Option<String>,
}

impl RecentQuery {
    /// The newest entries, as many as the server gives unasked (100).
    pub fn new() -> Self {
        Self::default()
    }

    /// The entries after this instead of the newest: the `last_id` of the answer before.
    pub fn since_id(mut self, id: impl Into<EntryId>) -> Self {
        self.since_id = Some(id.into());
        self
    }

    /// The entries that arrived at this time (Unix ms, to the second) or later, the oldest of them first, instead of the
    /// newest. With a limit of 0, `last_id` is where they begin.
    pub fn since(mut self, unix_ms: f64) -> Self {
        self.since = Some(unix_ms);
        self
    }

    /// The most entries of one answer, 0 to 10,000.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Only entries that this source logged. An answer may then be empty before the end is reached: go on while
    /// `last_id` grows.
    pub fn source(mut self, source_id: impl Into<String>) -> Self {
        self.source = Some(source_id.into());
        self
    }

    pub(super) fn begins_after(&self) -> Option<EntryId> {
        self.since_id
    }

    pub(super) fn parameters(&self) -> Parameters {
        let mut parameters = Parameters::new();
        set(&mut parameters, "since_id", self.since_id);
        set(&mut parameters, "since", self.since);
        set(&mut parameters, "limit", self.limit);
        set_text(&mut parameters, "source", self.source.as_deref());
        parameters
    }
}

/// Which entries of all chains a stream brings, from where, and for how long. What is not set, or set to an empty text,
/// does not restrict.
///
/// ```
/// use std::time::Duration;
/// use tracehub_client::StreamFilter;
///
/// let orders = StreamFilter::new().endpoint("/api/orders").correlation_prefix("order-").timeout(Duration::from_secs(60));
/// assert_ne!(orders, StreamFilter::new());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct StreamFilter {
    place: PlaceFilter,
    prefix: Option<String>,
    after: Option<EntryId>,
    timeout: Option<Duration>,
}

impl StreamFilter {
    /// Every entry, from now on, for ever.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only entries that this source logged.
    pub fn source(mut self, source_id: impl Into<String>) -> Self {
        self.place.source_id = Some(source_id.into());
        self
    }

    /// Only entries of this endpoint.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.place.endpoint = Some(endpoint.into());
        self
    }

    /// Only entries of this host.
    pub fn host(mut self, hostname: impl Into<String>) -> Self {
        self.place.hostname = Some(hostname.into());
        self
    }

    /// Only entries of this operation.
    pub fn operation(mut self, operation: impl Into<String>) -> Self {
        self.place.operation = Some(operation.into());
        self
    }

    /// Only chains whose id begins with this.
    pub fn correlation_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Begins after this entry instead of now: the id of a stream's entry, or the `last_id` of the newest entries.
    /// 0 begins with the oldest entry that is stored.
    pub fn after(mut self, id: impl Into<EntryId>) -> Self {
        self.after = Some(id.into());
        self
    }

    /// Ends by itself after this time, rounded up to whole seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    pub(crate) fn begins_after(&self) -> Option<i64> {
        self.after.map(|id| id.0)
    }

    pub(crate) fn runs_for(&self) -> Option<Duration> {
        self.timeout
    }

    /// All but where it begins, which has a header.
    pub(crate) fn parameters(&self, timeout: Option<Duration>) -> Parameters {
        let mut parameters = Parameters::new();
        set_place(&mut parameters, &self.place);
        set_text(&mut parameters, "correlation_id", self.prefix.as_deref());
        set(&mut parameters, "timeout", timeout.map(whole_seconds));
        parameters
    }
}

fn set(parameters: &mut Parameters, name: &'static str, value: Option<impl ToString>) {
    parameters.extend(value.map(|value| (name, value.to_string())));
}

fn set_text(parameters: &mut Parameters, name: &'static str, value: Option<&str>) {
    set(parameters, name, value.filter(|value| !value.is_empty()));
}

fn set_place(parameters: &mut Parameters, place: &PlaceFilter) {
    set_text(parameters, "source", place.source_id.as_deref());
    set_text(parameters, "endpoint", place.endpoint.as_deref());
    set_text(parameters, "host", place.hostname.as_deref());
    set_text(parameters, "operation", place.operation.as_deref());
}
