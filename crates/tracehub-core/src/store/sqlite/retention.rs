//! Deleting: the oldest entries go in small steps, and the chains' summaries stay exact.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::identity::{Identity, IdentityRemoval, forget_collisions};
use super::sites::SiteTable;
use super::summary::{SiteSet, SourceList};
use super::write::SqliteWriter;
use super::{direction, id_list};
use crate::store::{Deleted, EntryId};

/// What a step takes from one chain.
#[derive(Debug, Default)]
struct Loss {
    entries: u64,
    enters: u64,
    leaves: u64,
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
            let (last, losses) = give_back_oldest(connection, &sites, seed, boundary, limit)?;
            let Some(last) = last else {
                return Ok(Deleted { entries: 0, more: false });
            };
            // Written before any id is gone for good, so that none is given again.
            connection.execute("UPDATE sequence SET next_entry_id = ?1", [next_entry_id])?;
            let entries = connection.prepare_cached("DELETE FROM entries WHERE id <= ?1")?.execute([last])?;
            for (chain, loss) in losses {
                let correlation_id: String = connection
                    .prepare_cached("SELECT correlation_id FROM chains WHERE id = ?1")?
                    .query_row([chain], |row| row.get(0))?;
                chains.hand_over(connection, &correlation_id)?;
                shrink_chain(connection, &sites, chain, last, &loss)?;
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

/// Gives back the identities of the `limit` oldest entries below `boundary`. Gives the newest of those entries, and what
/// each chain loses with them.
fn give_back_oldest(
    connection: &Connection,
    sites: &SiteTable,
    seed: u64,
    boundary: i64,
    limit: u32,
) -> rusqlite::Result<(Option<i64>, BTreeMap<i64, Loss>)> {
    let mut losses: BTreeMap<i64, Loss> = BTreeMap::new();
    let mut last = None;
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
        last = Some(id);
        let loss = losses.entry(chain).or_default();
        loss.entries += 1;
        loss.enters += u64::from(direction == "->");
        loss.leaves += u64::from(direction == "<-");
    }
    Ok((last, losses))
}

/// Makes a chain's row exact again, or deletes it with its last entry. `last` is the newest entry that was deleted.
fn shrink_chain(
    connection: &Connection,
    sites: &SiteTable,
    chain: i64,
    last: i64,
    loss: &Loss,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM chain_entries WHERE chain = ?1 AND last_id <= ?2")?
        .execute([chain, last])?;
    let mut remaining = Vec::new();
    let mut blocks = connection.prepare_cached("SELECT ids FROM chain_entries WHERE chain = ?1")?;
    let mut rows = blocks.query([chain])?;
    while let Some(row) = rows.next()? {
        id_list::decode_into(row.get_ref(0)?.as_blob()?, &mut remaining);
    }
    // A block may begin with entries that are gone; readers pass over them as this does.
    remaining.retain(|id| *id > last);
    if remaining.is_empty() {
        connection.prepare_cached("DELETE FROM chains WHERE id = ?1")?.execute([chain])?;
        return Ok(());
    }
    let (mut sources, mut sites_left) = (SourceList::default(), SiteSet::default());
    let (mut first_timestamp, mut last_timestamp) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut entry = connection.prepare_cached("SELECT timestamp, site FROM entries WHERE id = ?1")?;
    for id in remaining {
        let mut rows = entry.query([id])?;
        if let Some(row) = rows.next()? {
            let timestamp: f64 = row.get(0)?;
            first_timestamp = first_timestamp.min(timestamp);
            last_timestamp = last_timestamp.max(timestamp);
            sources.add(sites.resolve(row.get_ref(1)?)?.source());
            sites_left.add(row.get_ref(1)?.as_i64().ok());
        }
    }
    connection
        .prepare_cached(
            "UPDATE chains SET entries = entries - ?2, enters = enters - ?3, leaves = leaves - ?4, sources = ?5, \
             first_timestamp = ?6, last_timestamp = ?7, sites = ?8 WHERE id = ?1",
        )?
        .execute(params![
            chain,
            loss.entries,
            loss.enters,
            loss.leaves,
            sources.json(),
            first_timestamp,
            last_timestamp,
            sites_left.encode()
        ])?;
    Ok(())
}
