//! What is known of one chain without reading its entries.

use std::sync::Arc;

use rusqlite::Row;

use super::id_list;
use crate::entry::EntryRef;
use crate::store::EntryId;
use crate::wire::read::{CorrelationSummary, is_complete};

/// The most sources that a summary lists. A chain with more is no request any more, and the list is written again
/// whenever the chain is.
const MAX_LISTED_SOURCES: usize = 256;

/// The columns of a summary in `chains`, as [`ChainSummary::read`] takes them.
macro_rules! summary_columns {
    () => {
        "id, entries, enters, leaves, first_timestamp, last_timestamp, last_entry_id, sources, sites"
    };
}
pub(super) use summary_columns;

/// A chain's numbers. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct ChainSummary {
    /// The chain's key in the database.
    pub(super) id: i64,
    pub(super) entries: u64,
    pub(super) enters: u64,
    pub(super) leaves: u64,
    pub(super) first_timestamp: f64,
    pub(super) last_timestamp: f64,
    pub(super) last_entry_id: i64,
    pub(super) sources: Arc<SourceList>,
    pub(super) sites: Arc<SiteSet>,
}

impl ChainSummary {
    /// A chain without entries.
    pub(super) fn new(id: i64) -> Self {
        Self {
            id,
            entries: 0,
            enters: 0,
            leaves: 0,
            first_timestamp: f64::INFINITY,
            last_timestamp: f64::NEG_INFINITY,
            last_entry_id: 0,
            sources: Arc::default(),
            sites: Arc::default(),
        }
    }

    /// From a row of [`summary_columns`].
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            entries: row.get(1)?,
            enters: row.get(2)?,
            leaves: row.get(3)?,
            // A row that holds no entry yet has no timestamps.
            first_timestamp: row.get::<_, Option<f64>>(4)?.unwrap_or(f64::INFINITY),
            last_timestamp: row.get::<_, Option<f64>>(5)?.unwrap_or(f64::NEG_INFINITY),
            last_entry_id: row.get(6)?,
            sources: Arc::new(SourceList::from_json(row.get_ref(7)?.as_str()?)),
            sites: Arc::new(SiteSet::decode(row.get_ref(8)?.as_blob()?)),
        })
    }

    /// Counts one more entry. `site` is the number of its site, if it has one.
    pub(super) fn count(&mut self, id: EntryId, entry: &EntryRef<'_>, site: Option<i64>) {
        self.entries += 1;
        self.enters += u64::from(entry.is_enter());
        self.leaves += u64::from(entry.is_leave());
        self.first_timestamp = self.first_timestamp.min(entry.timestamp);
        self.last_timestamp = self.last_timestamp.max(entry.timestamp);
        self.last_entry_id = id.0;
        if self.sources.lacks(entry.source_id) {
            Arc::make_mut(&mut self.sources).add(entry.source_id);
        }
        if self.sites.lacks(site) {
            Arc::make_mut(&mut self.sites).add(site);
        }
    }

    /// As a list of chains shows it.
    pub(super) fn answer(&self, correlation_id: &str) -> CorrelationSummary {
        CorrelationSummary {
            correlation_id: correlation_id.to_owned(),
            trace_count: self.entries,
            first_ts: self.first_timestamp,
            last_ts: self.last_timestamp,
            duration_ms: whole_milliseconds(self.duration()),
            sources: self.sources.sources.iter().map(|source| String::from(&**source)).collect(),
            complete: Some(self.is_complete()),
        }
    }

    /// From the first to the last timestamp, in ms.
    pub(super) fn duration(&self) -> f64 {
        self.last_timestamp - self.first_timestamp
    }

    pub(super) fn is_complete(&self) -> bool {
        is_complete(self.enters, self.leaves)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "cutting off is what the original does; beyond i64 it saturates")]
fn whole_milliseconds(duration: f64) -> i64 {
    duration as i64
}

/// The sources of a chain, sorted.
#[derive(Debug, Clone, Default)]
pub(super) struct SourceList {
    sources: Vec<Box<str>>,
}

impl SourceList {
    fn from_json(json: &str) -> Self {
        // The text is this program's own; were it damaged, the list would be made anew from here on.
        Self { sources: serde_json::from_str(json).unwrap_or_default() }
    }

    /// Whether a source is to be added. The empty one is nobody, as in the original.
    fn lacks(&self, source_id: &str) -> bool {
        !source_id.is_empty() && self.sources.len() < MAX_LISTED_SOURCES && self.place(source_id).is_err()
    }

    /// Adds a source, if it is to be added.
    pub(super) fn add(&mut self, source_id: &str) {
        if self.lacks(source_id)
            && let Err(place) = self.place(source_id)
        {
            self.sources.insert(place, source_id.into());
        }
    }

    /// The JSON array that the row holds.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(&self.sources).unwrap_or_else(|_| "[]".to_owned())
    }

    fn place(&self, source_id: &str) -> Result<usize, usize> {
        self.sources.binary_search_by(|known| (**known).cmp(source_id))
    }
}

/// The most sites that a summary lists.
const MAX_LISTED_SITES: usize = 256;
/// Stands for all sites that are not listed: those beyond the most, and those that have no number.
const OTHERS: i64 = 0;

/// The numbers of the sites where a chain was logged, in growing order.
#[derive(Debug, Clone, Default)]
pub(super) struct SiteSet {
    numbers: Vec<i64>,
}

impl SiteSet {
    pub(super) fn decode(bytes: &[u8]) -> Self {
        let mut numbers = Vec::new();
        id_list::decode_into(bytes, &mut numbers);
        Self { numbers }
    }

    /// The bytes that the row holds.
    pub(super) fn encode(&self) -> Vec<u8> {
        id_list::encode(&self.numbers)
    }

    /// What is listed for a site: its number, or that there are others.
    fn listed(&self, site: Option<i64>) -> i64 {
        match site {
            Some(number) if self.numbers.len() < MAX_LISTED_SITES || self.numbers.contains(&number) => number,
            _ => OTHERS,
        }
    }

    fn lacks(&self, site: Option<i64>) -> bool {
        self.numbers.binary_search(&self.listed(site)).is_err()
    }

    /// Adds a site, if it is to be added.
    pub(super) fn add(&mut self, site: Option<i64>) {
        let number = self.listed(site);
        if let Err(place) = self.numbers.binary_search(&number) {
            self.numbers.insert(place, number);
        }
    }

    /// Whether a site that is listed is among the wanted.
    pub(super) fn has(&self, wanted: &[bool]) -> bool {
        let place = |number: i64| usize::try_from(number - 1).ok();
        self.numbers.iter().any(|number| place(*number).and_then(|place| wanted.get(place)) == Some(&true))
    }

    /// Whether one that is listed or one of the others may be among the wanted.
    pub(super) fn may_have(&self, wanted: &[bool]) -> bool {
        self.numbers.first() == Some(&OTHERS) || self.has(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_sites_survives_and_says_what_it_does_not_list() {
        let mut sites = SiteSet::default();
        for site in [Some(9), Some(2), Some(9), Some(300)] {
            sites.add(site);
        }
        let sites = SiteSet::decode(&sites.encode());
        assert_eq!(sites.numbers, [2, 9, 300]);
        let wanted = |number: usize| (1..=400).map(|other| other == number).collect::<Vec<_>>();
        assert!(sites.has(&wanted(9)) && !sites.may_have(&wanted(8)));
        let mut many = sites;
        many.add(None);
        assert!(many.may_have(&wanted(8)) && !many.has(&wanted(8)));
        for number in 1..1_000 {
            many.add(Some(number));
        }
        assert!(many.numbers.len() <= MAX_LISTED_SITES + 1);
        assert!(SiteSet::decode(&many.encode()).may_have(&wanted(399)));
    }
}
