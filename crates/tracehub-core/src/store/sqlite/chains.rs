//! The chains on the writer's side: found by correlation id, counted entry by entry, written seldom.
//!
//! New entries of a chain go to [`Recent`] when their transaction has committed. When too much has gathered there, the
//! chains that came there first are written: the row of `chains`, and a block of `chain_entries`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};

use super::recent::{Recent, RecentChain};
use super::sites::SiteTable;
use super::summary::{ChainSummary, summary_columns};
use super::{direction, id_list};
use crate::entry::EntryRef;
use crate::store::EntryId;

/// The most chains whose summaries are kept at hand between transactions, about 300 bytes each.
const MAX_CACHED_CHAINS: usize = 65_536;
/// The most chains with entries that are not in their lists yet, about 400 bytes each.
const MAX_RECENT_CHAINS: usize = 32_768;
/// The most entries that are not in their chains' lists yet. Reading them again after a crash takes a fraction of a
/// second; the more there are, the more entries share the cost of writing a chain.
const MAX_RECENT_ENTRIES: usize = 262_144;
/// How far `listed_to` may lie behind before it is written again, in entries.
const LISTED_TO_STEP: i64 = 65_536;

const SELECT: &str = concat!("SELECT ", summary_columns!(), " FROM chains WHERE correlation_id = ?1");
const INSERT: &str = "INSERT INTO chains (id, correlation_id, entries, enters, leaves, last_entry_id, sources, sites) \
     VALUES (?1, ?2, 0, 0, 0, 0, '[]', x'')";
const UPDATE: &str = "UPDATE chains SET entries = ?2, enters = ?3, leaves = ?4, first_timestamp = ?5, \
     last_timestamp = ?6, last_entry_id = ?7, sources = ?8, sites = ?9 WHERE id = ?1";

#[derive(Debug)]
struct Slot {
    correlation_id: Arc<str>,
    summary: ChainSummary,
    /// Whether the database has a row for it.
    stored: bool,
    /// The last transaction that used it.
    used: u64,
    /// The entries that the running transaction has added.
    new_ids: Vec<i64>,
    /// Whether nothing may lead to it any more.
    forgotten: bool,
}

/// A chain's place in the cache; good until the transaction ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChainSlot(usize);

/// The writer's view of all chains.
#[derive(Debug)]
pub(super) struct Chains {
    places: HashMap<Arc<str>, usize>,
    slots: Vec<Slot>,
    /// The slots that the running transaction has added entries to.
    changed: Vec<usize>,
    /// The chains that the running transaction has written.
    written: HashSet<Arc<str>>,
    transaction: u64,
    next_id: i64,
    /// When `listed_to` is written again: with this entry.
    next_look: i64,
    recent: Recent,
}

impl Chains {
    /// What the database knows. After a start, [`recover`](Self::recover) comes before anything else.
    pub(super) fn load(connection: &Connection, recent: Recent) -> rusqlite::Result<Self> {
        let next_id = connection.query_row("SELECT coalesce(max(id), 0) + 1 FROM chains", [], |row| row.get(0))?;
        Ok(Self {
            places: HashMap::new(),
            slots: Vec::new(),
            changed: Vec::new(),
            written: HashSet::new(),
            transaction: 0,
            next_id,
            next_look: 0,
            recent,
        })
    }

    /// The statement that [`find`](Self::find) needs, prepared once per transaction.
    pub(super) fn select(connection: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
        connection.prepare_cached(SELECT)
    }

    /// The chain of a correlation id: from memory, from the database, or new.
    pub(super) fn find(
        &mut self,
        select: &mut CachedStatement<'_>,
        correlation_id: &str,
    ) -> rusqlite::Result<ChainSlot> {
        let place = match self.places.get(correlation_id) {
            Some(&place) => place,
            None => self.take_up(select, correlation_id)?,
        };
        self.slots[place].used = self.transaction;
        Ok(ChainSlot(place))
    }

    fn take_up(&mut self, select: &mut CachedStatement<'_>, correlation_id: &str) -> rusqlite::Result<usize> {
        // Recent first: its summary is newer than the row.
        let known = match self.recent.summary(correlation_id) {
            Some(summary) => Some(summary),
            None => select.query_row([correlation_id], ChainSummary::read).optional()?,
        };
        let stored = known.is_some();
        let summary = known.unwrap_or_else(|| {
            self.next_id += 1;
            ChainSummary::new(self.next_id - 1)
        });
        let correlation_id: Arc<str> = correlation_id.into();
        let place = self.slots.len();
        self.slots.push(Slot {
            correlation_id: Arc::clone(&correlation_id),
            summary,
            stored,
            used: 0,
            new_ids: Vec::new(),
            forgotten: false,
        });
        self.places.insert(correlation_id, place);
        Ok(place)
    }

    /// The key of the chain in `entries`.
    pub(super) fn id(&self, slot: ChainSlot) -> i64 {
        self.slots[slot.0].summary.id
    }

    /// Counts an entry that was inserted. `site` is the number of its site, if it has one.
    pub(super) fn count(&mut self, slot: ChainSlot, id: EntryId, entry: &EntryRef<'_>, site: Option<i64>) {
        let place = slot.0;
        let slot = &mut self.slots[place];
        slot.summary.count(id, entry, site);
        if slot.new_ids.is_empty() {
            self.changed.push(place);
        }
        slot.new_ids.push(id.0);
    }

    /// Counts again what was committed and not written to the chains' own tables when the last process ended.
    pub(super) fn recover(&mut self, connection: &Connection, sites: &SiteTable) -> rusqlite::Result<()> {
        let mut select = Self::select(connection)?;
        let mut entries = connection.prepare(
            "SELECT entries.id, correlation_id, timestamp, direction, site FROM entries \
             JOIN chains ON chains.id = entries.chain \
             WHERE entries.id > (SELECT listed_to FROM sequence) ORDER BY entries.id",
        )?;
        let mut rows = entries.query([])?;
        while let Some(row) = rows.next()? {
            let (id, correlation_id) = (row.get(0)?, row.get_ref(1)?.as_str()?);
            let slot = self.find(&mut select, correlation_id)?;
            // The mark is for all chains; this one may have been written further.
            if id > self.slots[slot.0].summary.last_entry_id {
                let site = sites.resolve(row.get_ref(4)?)?;
                let number = row.get_ref(4)?.as_i64().ok();
                self.count(slot, EntryId(id), &counted(row, site.source(), correlation_id)?, number);
            }
        }
        self.saved();
        Ok(())
    }

    /// Writes what the transaction needs to stand alone: the rows of new chains, and what is recent beyond its bounds.
    pub(super) fn save(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut insert = connection.prepare_cached(INSERT)?;
        for &place in &self.changed {
            let slot = &self.slots[place];
            if !slot.stored {
                insert.execute(params![slot.summary.id, slot.correlation_id])?;
            }
        }
        let mut oldest = self.recent.oldest_beyond(MAX_RECENT_CHAINS, MAX_RECENT_ENTRIES);
        oldest.retain(|(correlation_id, _)| !self.written.contains(correlation_id));
        self.write(connection, oldest)
    }

    /// Writes everything that is recent.
    pub(super) fn save_all(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let all = self.recent.oldest_beyond(0, 0);
        self.write(connection, all)
    }

    /// Writes one chain if it is recent, and forgets it: its row is about to be changed by other means.
    pub(super) fn hand_over(&mut self, connection: &Connection, correlation_id: &str) -> rusqlite::Result<()> {
        if let Some(place) = self.places.remove(correlation_id) {
            self.slots[place].forgotten = true;
        }
        match self.recent.get(correlation_id) {
            Some(chain) => self.write(connection, vec![(correlation_id.into(), chain)]),
            None => Ok(()),
        }
    }

    fn write(&mut self, connection: &Connection, mut chains: Vec<(Arc<str>, RecentChain)>) -> rusqlite::Result<()> {
        // In the order of the tables' keys: neighbours share pages.
        chains.sort_unstable_by_key(|(_, chain)| chain.summary.id);
        let mut update = connection.prepare_cached(UPDATE)?;
        let mut insert_block =
            connection.prepare_cached("INSERT INTO chain_entries (chain, last_id, ids) VALUES (?1, ?2, ?3)")?;
        for (correlation_id, RecentChain { summary, ids, .. }) in chains {
            update.execute(params![
                summary.id,
                summary.entries,
                summary.enters,
                summary.leaves,
                summary.first_timestamp,
                summary.last_timestamp,
                summary.last_entry_id,
                summary.sources.json(),
                summary.sites.encode(),
            ])?;
            insert_block.execute(params![summary.id, ids.last(), id_list::encode(&ids)])?;
            self.written.insert(correlation_id);
        }
        Ok(())
    }

    /// The transaction has committed: what it has written leaves [`Recent`], what it has added comes there. `newest` is
    /// the newest entry of all.
    pub(super) fn saved(&mut self) {
        let changed = self.changed.drain(..).map(|place| {
            let slot = &mut self.slots[place];
            slot.stored = true;
            (Arc::clone(&slot.correlation_id), slot.summary.clone(), std::mem::take(&mut slot.new_ids))
        });
        self.recent.commit(&self.written, changed);
        self.written.clear();
        self.transaction += 1;
        if self.slots.len() > MAX_CACHED_CHAINS {
            self.forget_half();
        }
    }

    /// Writes how far every entry is listed, now and then; part of a transaction. `next_entry_id` is the id after the
    /// newest entry before this transaction.
    pub(super) fn save_listed_to(&mut self, connection: &Connection, next_entry_id: i64) -> rusqlite::Result<()> {
        if next_entry_id < self.next_look {
            return Ok(());
        }
        // What this transaction writes still counts as recent here, which only makes the mark too low: safe.
        let listed_to = self.recent.first_id().unwrap_or(next_entry_id) - 1;
        connection.prepare_cached("UPDATE sequence SET listed_to = ?1")?.execute([listed_to])?;
        self.next_look = next_entry_id + LISTED_TO_STEP;
        Ok(())
    }

    /// Drops the half of the chains that was not used for longest. Once per many new chains, so its cost disappears.
    fn forget_half(&mut self) {
        let mut used: Vec<u64> = self.slots.iter().map(|slot| slot.used).collect();
        let middle = used.len() / 2;
        let (_, &mut median, _) = used.select_nth_unstable(middle);
        self.slots.retain(|slot| slot.used > median && !slot.forgotten);
        self.places =
            self.slots.iter().enumerate().map(|(place, slot)| (Arc::clone(&slot.correlation_id), place)).collect();
    }
}

/// The parts of an entry that a summary counts.
fn counted<'a>(row: &'a Row<'_>, source_id: &'a str, correlation_id: &'a str) -> rusqlite::Result<EntryRef<'a>> {
    Ok(EntryRef {
        source_id,
        correlation_id,
        timestamp: row.get(2)?,
        suffix: "",
        direction: direction(row.get_ref(3)?)?,
        operation: "",
        endpoint: "",
        data: None,
        hostname: "",
        raw_line: None,
    })
}
