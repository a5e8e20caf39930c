//! Deleting: the oldest entries go in small steps, and the chains' summaries stay exact.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::chains::SourceList;
use super::names::NameTable;
use super::write::SqliteWriter;
use super::{ENTER, LEAVE};
use crate::store::Deleted;

/// What a step takes from one chain.
#[derive(Debug, Default)]
struct Loss {
    entries: u64,
    enters: u64,
    leaves: u64,
}

impl SqliteWriter {
    pub(super) fn delete_oldest(&mut self, cutoff: i64, limit: u32, next_entry_id: i64) -> rusqlite::Result<Deleted> {
        let table = self.names_table().clone();
        self.in_transaction(|chains, _, connection| {
            let boundary = first_id_to_keep(connection, cutoff)?.unwrap_or(next_entry_id);
            let (last, losses) = losses_of_oldest(connection, boundary, limit)?;
            let Some(last) = last else {
                return Ok(Deleted { entries: 0, more: false });
            };
            // Written before any id is gone for good, so that none is given again.
            connection.execute("UPDATE sequence SET next_entry_id = ?1", [next_entry_id])?;
            let entries = connection.prepare_cached("DELETE FROM entries WHERE id <= ?1")?.execute([last])?;
            for (chain, loss) in losses {
                let correlation_id = shrink_chain(connection, &table, chain, &loss)?;
                chains.forget(&correlation_id);
            }
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

/// The newest of the `limit` oldest entries below `boundary`, and what each chain loses with them.
fn losses_of_oldest(
    connection: &Connection,
    boundary: i64,
    limit: u32,
) -> rusqlite::Result<(Option<i64>, BTreeMap<i64, Loss>)> {
    let mut losses: BTreeMap<i64, Loss> = BTreeMap::new();
    let mut last = None;
    let mut oldest =
        connection.prepare_cached("SELECT id, chain, direction FROM entries WHERE id < ?1 ORDER BY id LIMIT ?2")?;
    let mut rows = oldest.query((boundary, limit))?;
    while let Some(row) = rows.next()? {
        last = Some(row.get(0)?);
        let loss = losses.entry(row.get(1)?).or_default();
        let direction = row.get_ref(2)?.as_i64().ok();
        loss.entries += 1;
        loss.enters += u64::from(direction == Some(ENTER));
        loss.leaves += u64::from(direction == Some(LEAVE));
    }
    Ok((last, losses))
}

/// Makes a chain's row exact again, or deletes it with its last entry. Gives the chain's correlation id.
fn shrink_chain(connection: &Connection, names: &NameTable, chain: i64, loss: &Loss) -> rusqlite::Result<String> {
    let (correlation_id, entries): (String, u64) = connection
        .prepare_cached("SELECT correlation_id, entries FROM chains WHERE id = ?1")?
        .query_row([chain], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if entries <= loss.entries {
        connection.prepare_cached("DELETE FROM chains WHERE id = ?1")?.execute([chain])?;
        return Ok(correlation_id);
    }
    let mut sources = SourceList::default();
    let mut statement = connection.prepare_cached("SELECT DISTINCT source FROM entries WHERE chain = ?1")?;
    let mut rows = statement.query([chain])?;
    while let Some(row) = rows.next()? {
        sources.add(names.resolve(row.get_ref(0)?)?);
    }
    // Two queries, because SQLite takes each end of the index at once but scans for both together.
    connection
        .prepare_cached(
            "UPDATE chains SET entries = entries - ?2, enters = enters - ?3, leaves = leaves - ?4, sources = ?5, \
             first_timestamp = (SELECT min(timestamp) FROM entries WHERE chain = ?1), \
             last_timestamp = (SELECT max(timestamp) FROM entries WHERE chain = ?1) WHERE id = ?1",
        )?
        .execute(params![chain, loss.entries, loss.enters, loss.leaves, sources.json()])?;
    Ok(correlation_id)
}
