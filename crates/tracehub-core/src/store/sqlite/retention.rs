//! Deleting: the oldest entries go in small steps, and the chains' summaries follow.
//!
//! A chain's counts are exact after each step. Its first and last time, its sources and its sites are found by reading what
//! is left of it; of a large chain that is too much for every step, so each is read whole only as often as about as many
//! entries were deleted as it has. Until then its times are those of its oldest and newest entries, and its sources and sites
//! those that it had.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::identity::{Identity, IdentityRemoval, forget_collisions};
use super::sites::SiteTable;
use super::summary::{SiteSet, SourceList};
use super::write::SqliteWriter;
use super::{direction, id_list};
use crate::store::{Deleted, EntryId};

/// What is left of a chain is read whole in every step up to so many entries: some 1.5 ms.
const SMALL_CHAIN_ENTRIES: u64 = 4_000;
/// Beyond so many never: of 200,000 it takes 60 ms, in which everybody waits for the writer.
const HUGE_CHAIN_ENTRIES: u64 = 500_000;
/// So many of a large chain's oldest, or newest, entries are read for its times.
const EDGE_ENTRIES: usize = 1_000;

/// What a step takes from one chain.
#[derive(Debug)]
struct Loss {
    entries: u64,
    enters: u64,
    leaves: u64,
    first_timestamp: f64,
    last_timestamp: f64,
}

impl Default for Loss {
    fn default() -> Self {
        Self { entries: 0, enters: 0, leaves: 0, first_timestamp: f64::INFINITY, last_timestamp: f64::NEG_INFINITY }
    }
}

/// What a step takes, by the chain's key.
type Losses = BTreeMap<i64, Loss>;

/// What is found out about a chain by reading its entries.
#[derive(Debug, Default)]
struct Content {
    sources: SourceList,
    sites: SiteSet,
    first_timestamp: Option<f64>,
    last_timestamp: Option<f64>,
}

impl SqliteWriter {
    /// Deletes what arrived before the cutoff, the oldest first.
    pub(super) fn delete_before(&mut self, cutoff: i64, limit: u32) -> rusqlite::Result<Deleted> {
        let boundary = first_id_to_keep(&self.connection, cutoff)?.unwrap_or(self.next_entry_id);
        self.delete_below(boundary, limit)
    }

    /// Deletes the oldest entries below an id.
    pub(super) fn delete_below(&mut self, boundary: i64, limit: u32) -> rusqlite::Result<Deleted> {
        let (sites, seed, next_entry_id) = (self.site_table().clone(), self.identity_seed, self.next_entry_id);
        self.in_transaction(|chains, _, connection| {
            let (deleted, losses) = give_back_oldest(connection, &sites, seed, boundary, limit)?;
            let Some(deleted) = deleted else {
                return Ok(Deleted { entries: 0, more: false });
            };
            let last = *deleted.end();
            // Written before any id is gone for good, so that none is given again.
            connection.execute("UPDATE sequence SET next_entry_id = ?1", [next_entry_id])?;
            let entries = connection.prepare_cached("DELETE FROM entries WHERE id <= ?1")?.execute([last])?;
            for (chain, loss) in losses {
                let correlation_id: String = connection
                    .prepare_cached("SELECT correlation_id FROM chains WHERE id = ?1")?
                    .query_row([chain], |row| row.get(0))?;
                chains.hand_over(connection, &correlation_id)?;
                shrink_chain(connection, &sites, chain, &deleted, &loss)?;
            }
            forget_collisions(connection, last + 1)?;
            // The row that covers the oldest entry left must stay.
            connection.execute(
                "DELETE FROM arrivals WHERE first_entry_id < \
                 (SELECT max(first_entry_id) FROM arrivals WHERE first_entry_id <= ?1)",
                [last + 1],
            )?;
            Ok(Deleted { entries: entries as u64, more: last + 1 < boundary })
        })
    }
}

/// The first entry that arrived at the cutoff or later; none if every entry is older.
fn first_id_to_keep(connection: &Connection, cutoff: i64) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT first_entry_id FROM arrivals WHERE arrived_at >= ?1 ORDER BY first_entry_id LIMIT 1")?
        .query_row([cutoff], |row| row.get(0))
        .optional()
}

/// Gives back the identities of the `limit` oldest entries below `boundary`. Gives the oldest and the newest of those
/// entries, and what each chain loses with them.
fn give_back_oldest(
    connection: &Connection,
    sites: &SiteTable,
    seed: u64,
    boundary: i64,
    limit: u32,
) -> rusqlite::Result<(Option<RangeInclusive<i64>>, Losses)> {
    let mut losses = Losses::new();
    let mut deleted = None;
    let mut identities = IdentityRemoval::prepare(connection, seed)?;
    let mut oldest = connection.prepare_cached(
        "SELECT id, chain, timestamp, suffix, site, direction FROM entries WHERE id < ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = oldest.query((boundary, limit))?;
    while let Some(row) = rows.next()? {
        let (id, chain, direction) = (row.get(0)?, row.get(1)?, direction(row.get_ref(5)?)?);
        let site = sites.resolve(row.get_ref(4)?)?;
        let identity = Identity {
            chain,
            timestamp: row.get(2)?,
            suffix: row.get_ref(3)?.as_str()?,
            source_id: site.source(),
            direction,
        };
        identities.remove(&identity, EntryId(id))?;
        deleted = Some(deleted.map_or(id, |deleted: RangeInclusive<i64>| *deleted.start())..=id);
        let loss = losses.entry(chain).or_default();
        loss.entries += 1;
        loss.enters += u64::from(direction == "->");
        loss.leaves += u64::from(direction == "<-");
        loss.first_timestamp = loss.first_timestamp.min(identity.timestamp);
        loss.last_timestamp = loss.last_timestamp.max(identity.timestamp);
    }
    Ok((deleted, losses))
}

/// Takes what was deleted out of a chain's row, or deletes that with its last entry.
fn shrink_chain(
    connection: &Connection,
    sites: &SiteTable,
    chain: i64,
    deleted: &RangeInclusive<i64>,
    loss: &Loss,
) -> rusqlite::Result<()> {
    let last = *deleted.end();
    connection
        .prepare_cached("DELETE FROM chain_entries WHERE chain = ?1 AND last_id <= ?2")?
        .execute([chain, last])?;
    let (entries, first_timestamp, last_timestamp): (u64, f64, f64) = connection
        .prepare_cached("SELECT entries, first_timestamp, last_timestamp FROM chains WHERE id = ?1")?
        .query_row([chain], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let left = entries.saturating_sub(loss.entries);
    if left == 0 {
        connection.prepare_cached("DELETE FROM chains WHERE id = ?1")?.execute([chain])?;
        return Ok(());
    }
    let is_read_whole = is_read_whole(left, deleted);
    let found = if is_read_whole {
        read_entries(connection, sites, &ids_left(connection, chain, last, Edge::Oldest, usize::MAX)?)?
    } else {
        let edge = |edge| read_entries(connection, sites, &ids_left(connection, chain, last, edge, EDGE_ENTRIES)?);
        let oldest = if loss.first_timestamp <= first_timestamp { edge(Edge::Oldest)? } else { Content::default() };
        let newest = if loss.last_timestamp >= last_timestamp { edge(Edge::Newest)? } else { Content::default() };
        Content { first_timestamp: oldest.first_timestamp, last_timestamp: newest.last_timestamp, ..Content::default() }
    };
    connection
        .prepare_cached(
            "UPDATE chains SET entries = ?2, enters = enters - ?3, leaves = leaves - ?4, \
             first_timestamp = coalesce(?5, first_timestamp), last_timestamp = coalesce(?6, last_timestamp) \
             WHERE id = ?1",
        )?
        .execute(params![chain, left, loss.enters, loss.leaves, found.first_timestamp, found.last_timestamp])?;
    if is_read_whole {
        connection.prepare_cached("UPDATE chains SET sources = ?2, sites = ?3 WHERE id = ?1")?.execute(params![
            chain,
            found.sources.json(),
            found.sites.encode()
        ])?;
    }
    Ok(())
}

/// Whether all that is left of a chain is read in this step. Of a large one that is so when the deleted ids pass a multiple
/// of its size, which costs as many reads as deletions in the long run.
fn is_read_whole(left: u64, deleted: &RangeInclusive<i64>) -> bool {
    let span = i64::try_from(left.next_power_of_two()).unwrap_or(i64::MAX);
    left <= SMALL_CHAIN_ENTRIES || (left <= HUGE_CHAIN_ENTRIES && deleted.start() / span != (deleted.end() + 1) / span)
}

/// An end of a chain, in the order of arrival.
#[derive(Debug, Clone, Copy)]
enum Edge {
    Oldest,
    Newest,
}

/// At most so many ids of a chain after `last`, from one of its ends.
fn ids_left(connection: &Connection, chain: i64, last: i64, edge: Edge, most: usize) -> rusqlite::Result<Vec<i64>> {
    let mut blocks = connection.prepare_cached(match edge {
        Edge::Oldest => "SELECT ids FROM chain_entries WHERE chain = ?1 ORDER BY last_id",
        Edge::Newest => "SELECT ids FROM chain_entries WHERE chain = ?1 ORDER BY last_id DESC",
    })?;
    let mut rows = blocks.query([chain])?;
    let mut ids = Vec::new();
    while ids.len() < most
        && let Some(row) = rows.next()?
    {
        id_list::decode_into(row.get_ref(0)?.as_blob()?, &mut ids);
        // A block may begin with entries that are gone; readers pass over them as this does.
        ids.retain(|id| *id > last);
    }
    ids.sort_unstable();
    match edge {
        Edge::Oldest => ids.truncate(most),
        Edge::Newest => drop(ids.drain(..ids.len().saturating_sub(most))),
    }
    Ok(ids)
}

fn read_entries(connection: &Connection, sites: &SiteTable, ids: &[i64]) -> rusqlite::Result<Content> {
    let mut content = Content::default();
    let mut entry = connection.prepare_cached("SELECT timestamp, site FROM entries WHERE id = ?1")?;
    for id in ids {
        let mut rows = entry.query([id])?;
        if let Some(row) = rows.next()? {
            let timestamp: f64 = row.get(0)?;
            content.first_timestamp = Some(content.first_timestamp.map_or(timestamp, |first| first.min(timestamp)));
            content.last_timestamp = Some(content.last_timestamp.map_or(timestamp, |last| last.max(timestamp)));
            content.sources.add(sites.resolve(row.get_ref(1)?)?.source());
            content.sites.add(row.get_ref(1)?.as_i64().ok());
        }
    }
    Ok(content)
}
