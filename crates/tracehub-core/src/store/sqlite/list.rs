//! Lists of chains: by activity, by what the chain's row says, a bounded number of rows for each question.
//!
//! What is recent in memory is newer than its row. So the recent chains are looked at whole, and their rows are passed
//! over.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{OptionalExtension as _, Row, params};

use super::read::chain_ids;
use super::recent::{Newest, Recent};
use super::sites::SiteTable;
use super::snapshot::Snapshot;
use super::summary::{ChainSummary, SiteSet, summary_columns};
use crate::query::{ChainPage, ChainQuery};
use crate::store::EntryId;

/// The most rows that are looked at for one question: a few ms.
const MAX_LOOKED_AT: usize = 4_000;
/// The most chains into whose entries one question looks, because their rows do not say all places: a few ms, too.
const MAX_LOOKED_INTO: usize = 500;

const BY_ACTIVITY: &str = concat!(
    "SELECT ",
    summary_columns!(),
    ", correlation_id FROM chains WHERE last_entry_id > 0 AND last_entry_id < ?1 AND last_entry_id >= ?2 \
     ORDER BY last_entry_id DESC LIMIT ?3"
);
/// Its condition is that of the index `chains_incomplete`, word by word, or the index is not used.
const INCOMPLETE_BY_ACTIVITY: &str = concat!(
    "SELECT ",
    summary_columns!(),
    ", correlation_id FROM chains WHERE last_entry_id > 0 AND NOT (enters > 0 AND enters = leaves) \
     AND last_entry_id < ?1 AND last_entry_id >= ?2 ORDER BY last_entry_id DESC LIMIT ?3"
);
const BY_ID: &str = concat!(
    "SELECT ",
    summary_columns!(),
    ", correlation_id FROM chains WHERE correlation_id >= ?1 ORDER BY correlation_id LIMIT ?2"
);

/// A chain of the list.
type Listed = (Arc<str>, ChainSummary);

/// Answers one question.
pub(super) struct Listing<'a> {
    query: &'a ChainQuery,
    sites: &'a SiteTable,
    recent: &'a Recent,
    /// For each site's number, whether it is wanted; none if every chain is.
    wanted_sites: Option<Vec<bool>>,
    /// The recent chains that may match, and the keys of all recent ones.
    found: Newest,
    recent_keys: HashSet<i64>,
}

impl<'a> Listing<'a> {
    /// Looks at what is recent. The snapshot must be taken after that, so that nothing falls between.
    pub(super) fn begin(query: &'a ChainQuery, sites: &'a SiteTable, recent: &'a Recent) -> Self {
        let wanted_sites = (!query.place.is_empty()).then(|| sites.matching(&query.place));
        let mut listing =
            Self { query, sites, recent, wanted_sites, found: Newest::default(), recent_keys: HashSet::new() };
        let before = query.before.map_or(i64::MAX, |before| before.0);
        let most = query.limit as usize + 1 + if listing.wanted_sites.is_some() { MAX_LOOKED_INTO } else { 0 };
        (listing.found, listing.recent_keys) =
            recent.matching(most, |id, summary| summary.last_entry_id < before && listing.may_match(id, summary));
        listing
    }

    /// The page.
    pub(super) fn page(mut self, snapshot: &Snapshot<'_>) -> rusqlite::Result<ChainPage> {
        let before = self.query.before.map_or(i64::MAX, |before| before.0);
        let Newest { chains: mut found, cut_at } = std::mem::take(&mut self.found);
        let since = match self.query.active_since {
            Some(time) => match first_id_since(snapshot, time)? {
                Some(id) => id,
                None => return Ok(ChainPage::default()),
            },
            None => 0,
        };
        found.retain(|(_, summary)| summary.last_entry_id >= since);
        let (mut stored, looked_to) = match self.of_prefix(snapshot)? {
            Some(mut stored) => {
                stored.retain(|(_, summary)| {
                    summary.last_entry_id > 0 && (since..before).contains(&summary.last_entry_id)
                });
                (stored, None)
            }
            None => self.by_activity(snapshot, before, since)?,
        };
        stored.retain(|(_, summary)| !self.recent_keys.contains(&summary.id));
        found.append(&mut stored);
        found.sort_unstable_by_key(|(_, summary)| Reverse(summary.last_entry_id));
        // What lies beyond the last row that was looked at waits for the next page, or rows between would be missed.
        let known_to = looked_to.max(cut_at.filter(|cut_at| *cut_at > since));
        let known = known_to.unwrap_or(0);
        found.truncate(found.partition_point(|(_, summary)| summary.last_entry_id >= known));
        let (mut found, known_to) = self.wanted(snapshot, found, known_to)?;
        let limit = self.query.limit as usize;
        let next = if found.len() > limit {
            found.get(limit.wrapping_sub(1)).map(|(_, summary)| EntryId(summary.last_entry_id))
        } else {
            known_to.map(EntryId)
        };
        found.truncate(limit);
        let chains = found.iter().map(|(correlation_id, summary)| summary.answer(correlation_id)).collect();
        Ok(ChainPage { chains, next })
    }

    /// Rows by activity that may match, and the last that was looked at, if there may be more.
    fn by_activity(
        &self,
        snapshot: &Snapshot<'_>,
        before: i64,
        since: i64,
    ) -> rusqlite::Result<(Vec<Listed>, Option<i64>)> {
        let incomplete = self.query.complete == Some(false);
        let mut rows = snapshot.statement(if incomplete { INCOMPLETE_BY_ACTIVITY } else { BY_ACTIVITY })?;
        let mut rows = rows.query(params![before, since, MAX_LOOKED_AT])?;
        let (mut found, mut looked_at, mut last) = (Vec::new(), 0, None);
        while let Some(row) = rows.next()? {
            looked_at += 1;
            last = Some(row.get(6)?);
            // Most rows of a rare place end here, before anything else of them is read.
            if let Some(wanted) = &self.wanted_sites
                && !SiteSet::decode(row.get_ref(8)?.as_blob()?).may_have(wanted)
            {
                continue;
            }
            let (id, summary) = listed(row)?;
            if !self.recent_keys.contains(&summary.id) && self.may_match(&id, &summary) {
                found.push((id, summary));
                // One more than is given, to know whether there is more.
                if found.len() > self.query.limit as usize {
                    return Ok((found, last));
                }
            }
        }
        Ok((found, last.filter(|_| looked_at == MAX_LOOKED_AT)))
    }

    /// All chains whose ids begin as asked, if they are few enough to look at each.
    fn of_prefix(&self, snapshot: &Snapshot<'_>) -> rusqlite::Result<Option<Vec<Listed>>> {
        let Some(prefix) = &self.query.prefix else { return Ok(None) };
        let mut statement = snapshot.statement(BY_ID)?;
        let mut rows = statement.query(params![prefix, MAX_LOOKED_AT])?;
        let (mut found, mut looked_at) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let (id, summary) = listed(row)?;
            if !id.starts_with(prefix.as_str()) {
                return Ok(Some(found));
            }
            looked_at += 1;
            if self.may_match(&id, &summary) {
                found.push((id, summary));
            }
        }
        Ok((looked_at < MAX_LOOKED_AT).then_some(found))
    }

    /// Whether a chain matches as far as its summary says.
    fn may_match(&self, correlation_id: &str, summary: &ChainSummary) -> bool {
        let query = self.query;
        query.prefix.as_deref().is_none_or(|prefix| correlation_id.starts_with(prefix))
            && query.complete.is_none_or(|complete| complete == summary.is_complete())
            && query.min_duration_ms.is_none_or(|least| summary.duration() >= least)
            && self.wanted_sites.as_deref().is_none_or(|wanted| summary.sites.may_have(wanted))
    }

    /// Of chains by activity those that are wanted, as many as are asked for and one more, and down to which entry it is
    /// known. Looks into the entries of those whose summary does not say everywhere they were logged.
    fn wanted(
        &self,
        snapshot: &Snapshot<'_>,
        chains: Vec<Listed>,
        known_to: Option<i64>,
    ) -> rusqlite::Result<(Vec<Listed>, Option<i64>)> {
        let Some(wanted) = self.wanted_sites.as_deref() else { return Ok((chains, known_to)) };
        let (mut kept, mut looked_into) = (Vec::new(), 0);
        for (id, summary) in chains {
            let last_entry_id = summary.last_entry_id;
            if summary.sites.has(wanted) {
                kept.push((id, summary));
            } else {
                looked_into += 1;
                if self.has_wanted_entry(snapshot, &id)? {
                    kept.push((id, summary));
                }
            }
            if kept.len() > self.query.limit as usize || looked_into == MAX_LOOKED_INTO {
                return Ok((kept, Some(last_entry_id)));
            }
        }
        Ok((kept, known_to))
    }

    fn has_wanted_entry(&self, snapshot: &Snapshot<'_>, correlation_id: &str) -> rusqlite::Result<bool> {
        let ids = chain_ids(snapshot, correlation_id, self.recent.get(correlation_id), 0)?;
        let mut site = snapshot.statement("SELECT site FROM entries WHERE id = ?1")?;
        for id in snapshot.in_time(ids.iter()) {
            let wanted =
                site.query_row([id?], |row| Ok(self.sites.resolve(row.get_ref(0)?)?.matches(&self.query.place)));
            if wanted.optional()? == Some(true) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The chains with the newest entries. `recent` are those of them, and one more, that were recent before the snapshot.
pub(super) fn newest(snapshot: &Snapshot<'_>, limit: u32, recent: Vec<Listed>) -> rusqlite::Result<ChainPage> {
    // Of a chain that is in both, the one that counts more is the newer.
    let mut newest: HashMap<Arc<str>, ChainSummary> = recent.into_iter().collect();
    let mut stored = snapshot.statement(BY_ACTIVITY)?;
    let mut rows = stored.query((i64::MAX, 0, i64::from(limit) + 1))?;
    while let Some(row) = rows.next()? {
        let (correlation_id, summary) = listed(row)?;
        match newest.entry(correlation_id) {
            Entry::Occupied(known) if known.get().last_entry_id >= summary.last_entry_id => {}
            Entry::Occupied(mut known) => drop(known.insert(summary)),
            Entry::Vacant(place) => drop(place.insert(summary)),
        }
    }
    let mut newest: Vec<Listed> = newest.into_iter().collect();
    newest.sort_unstable_by_key(|(_, summary)| Reverse(summary.last_entry_id));
    let more = newest.len() > limit as usize;
    newest.truncate(limit as usize);
    let next = newest.last().filter(|_| more).map(|(_, summary)| EntryId(summary.last_entry_id));
    let chains = newest.iter().map(|(correlation_id, summary)| summary.answer(correlation_id)).collect();
    Ok(ChainPage { chains, next })
}

fn listed(row: &Row<'_>) -> rusqlite::Result<Listed> {
    Ok((row.get_ref(9)?.as_str()?.into(), ChainSummary::read(row)?))
}

/// The first entry that arrived at a time (Unix seconds) or later.
pub(super) fn first_id_since(snapshot: &Snapshot<'_>, time: i64) -> rusqlite::Result<Option<i64>> {
    snapshot
        .statement("SELECT first_entry_id FROM arrivals WHERE arrived_at >= ?1 ORDER BY first_entry_id LIMIT 1")?
        .query_row([time], |row| row.get(0))
        .optional()
}
