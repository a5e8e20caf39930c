//! What can be asked of the list of chains: filters, a limit, and where to go on.

use crate::entry::EntryRef;
use crate::store::EntryId;
use crate::wire::read::CorrelationSummary;

/// A question for a list of chains. What is not given does not restrict.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChainQuery {
    /// The most chains that are given.
    pub limit: u32,
    /// Only chains whose newest entry is before this: where the page before ended.
    pub before: Option<EntryId>,
    /// Only chains of which something arrived at this time or later, Unix seconds.
    pub active_since: Option<i64>,
    /// Only chains that are complete, or that are not.
    pub complete: Option<bool>,
    /// Only chains that took so long from their first to their last timestamp, in ms.
    pub min_duration_ms: Option<f64>,
    /// Only chains whose id begins with this.
    pub prefix: Option<String>,
    /// Only chains that have an entry logged there.
    pub place: PlaceFilter,
}

/// Where an entry was logged. All that is given must hold of one entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PlaceFilter {
    /// By whom.
    pub source_id: Option<String>,
    /// Of what.
    pub endpoint: Option<String>,
    /// On which host.
    pub hostname: Option<String>,
    /// Doing what.
    pub operation: Option<String>,
}

impl PlaceFilter {
    /// Whether nothing is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an entry is wanted.
    #[must_use]
    pub fn matches(&self, entry: &EntryRef<'_>) -> bool {
        self.matches_names([entry.source_id, entry.operation, entry.endpoint, entry.hostname])
    }

    /// Whether entries of this source, operation, endpoint and host are wanted.
    pub(crate) fn matches_names(&self, [source_id, operation, endpoint, hostname]: [&str; 4]) -> bool {
        let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        is(&self.source_id, source_id)
            && is(&self.operation, operation)
            && is(&self.endpoint, endpoint)
            && is(&self.hostname, hostname)
    }
}

impl ChainQuery {
    /// The most recently active chains, whatever they are.
    #[must_use]
    pub fn newest(limit: u32) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Whether only the limit restricts.
    #[must_use]
    pub fn is_unfiltered(&self) -> bool {
        *self == Self::newest(self.limit)
    }
}

/// A part of a list of chains.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChainPage {
    /// The chains, the most recently active first. There may be fewer than were asked for although more follow: a
    /// question looks at a bounded number of chains.
    pub chains: Vec<CorrelationSummary>,
    /// Where the next page begins ([`ChainQuery::before`]); none when this is the last.
    pub next: Option<EntryId>,
}
