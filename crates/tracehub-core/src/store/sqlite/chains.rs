//! The chains' summaries on the writer's side: a bounded cache, written once per chain and transaction.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row};

use crate::entry::EntryRef;
use crate::store::EntryId;

/// The most chains that are kept in memory between transactions, about 300 bytes each.
const MAX_CACHED_CHAINS: usize = 65_536;
/// The most sources that a summary lists. A chain with more is no request any more, and the list is written again with
/// every transaction that touches the chain.
const MAX_LISTED_SOURCES: usize = 256;

const SELECT: &str = "SELECT id, entries, enters, leaves, first_timestamp, last_timestamp, last_entry_id, sources \
     FROM chains WHERE correlation_id = ?1";
const INSERT: &str = "INSERT INTO chains (id, entries, enters, leaves, first_timestamp, last_timestamp, last_entry_id, \
     sources, correlation_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const UPDATE: &str = "UPDATE chains SET entries = ?2, enters = ?3, leaves = ?4, first_timestamp = ?5, \
     last_timestamp = ?6, last_entry_id = ?7, sources = ?8 WHERE id = ?1";

/// What is known of one chain without reading its entries.
#[derive(Debug)]
struct ChainSummary {
    id: i64,
    entries: u64,
    enters: u64,
    leaves: u64,
    first_timestamp: f64,
    last_timestamp: f64,
    last_entry_id: i64,
    sources: SourceList,
}

impl ChainSummary {
    fn new(id: i64) -> Self {
        Self {
            id,
            entries: 0,
            enters: 0,
            leaves: 0,
            first_timestamp: f64::INFINITY,
            last_timestamp: f64::NEG_INFINITY,
            last_entry_id: 0,
            sources: SourceList::default(),
        }
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            entries: row.get(1)?,
            enters: row.get(2)?,
            leaves: row.get(3)?,
            first_timestamp: row.get(4)?,
            last_timestamp: row.get(5)?,
            last_entry_id: row.get(6)?,
            sources: SourceList::from_json(row.get(7)?),
        })
    }

    fn count(&mut self, id: EntryId, entry: &EntryRef<'_>) {
        self.entries += 1;
        self.enters += u64::from(entry.is_enter());
        self.leaves += u64::from(entry.is_leave());
        self.first_timestamp = self.first_timestamp.min(entry.timestamp);
        self.last_timestamp = self.last_timestamp.max(entry.timestamp);
        self.last_entry_id = id.0;
        self.sources.add(entry.source_id);
    }
}

/// The sources of a chain, sorted, and the JSON array of them that the row holds.
#[derive(Debug)]
pub(super) struct SourceList {
    sources: Vec<Box<str>>,
    json: String,
}

impl Default for SourceList {
    fn default() -> Self {
        Self { sources: Vec::new(), json: "[]".to_owned() }
    }
}

impl SourceList {
    fn from_json(json: String) -> Self {
        // The text is this program's own; were it damaged, the list would be made anew from here on.
        Self { sources: serde_json::from_str(&json).unwrap_or_default(), json }
    }

    /// Adds a source. The empty one is nobody, as in the original.
    pub(super) fn add(&mut self, source_id: &str) {
        if source_id.is_empty() || self.sources.len() >= MAX_LISTED_SOURCES {
            return;
        }
        if let Err(place) = self.sources.binary_search_by(|known| (**known).cmp(source_id)) {
            self.sources.insert(place, source_id.into());
            self.json = serde_json::to_string(&self.sources).unwrap_or_else(|_| "[]".to_owned());
        }
    }

    /// The JSON array.
    pub(super) fn json(&self) -> &str {
        &self.json
    }
}

#[derive(Debug)]
struct Slot {
    correlation_id: Arc<str>,
    summary: ChainSummary,
    /// Whether the database has a row for it.
    stored: bool,
    /// The last transaction that used it.
    used: u64,
    /// Whether the running transaction has counted an entry of it.
    changed: bool,
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
    changed: Vec<usize>,
    transaction: u64,
    next_id: i64,
}

impl Chains {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let next_id = connection.query_row("SELECT coalesce(max(id), 0) + 1 FROM chains", [], |row| row.get(0))?;
        Ok(Self { places: HashMap::new(), slots: Vec::new(), changed: Vec::new(), transaction: 0, next_id })
    }

    /// The statement that [`find`](Self::find) needs, prepared once per transaction.
    pub(super) fn select(connection: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
        connection.prepare_cached(SELECT)
    }

    /// The chain of a correlation id, from memory, from the database, or new.
    pub(super) fn find(
        &mut self,
        select: &mut CachedStatement<'_>,
        correlation_id: &str,
    ) -> rusqlite::Result<ChainSlot> {
        let place = if let Some(&place) = self.places.get(correlation_id) {
            place
        } else {
            let found = select.query_row([correlation_id], ChainSummary::read).optional()?;
            let stored = found.is_some();
            let summary = found.unwrap_or_else(|| self.new_chain());
            let place = self.slots.len();
            let correlation_id: Arc<str> = correlation_id.into();
            self.slots.push(Slot {
                correlation_id: correlation_id.clone(),
                summary,
                stored,
                used: 0,
                changed: false,
                forgotten: false,
            });
            self.places.insert(correlation_id, place);
            place
        };
        self.slots[place].used = self.transaction;
        Ok(ChainSlot(place))
    }

    fn new_chain(&mut self) -> ChainSummary {
        let id = self.next_id;
        self.next_id += 1;
        ChainSummary::new(id)
    }

    /// The key of the chain in `entries`.
    pub(super) fn id(&self, slot: ChainSlot) -> i64 {
        self.slots[slot.0].summary.id
    }

    /// Counts an entry that was inserted.
    pub(super) fn count(&mut self, slot: ChainSlot, id: EntryId, entry: &EntryRef<'_>) {
        let place = slot.0;
        let slot = &mut self.slots[place];
        slot.summary.count(id, entry);
        if !slot.changed {
            slot.changed = true;
            self.changed.push(place);
        }
    }

    /// Writes the summaries that have changed; part of the transaction that changed them.
    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut insert = connection.prepare_cached(INSERT)?;
        let mut update = connection.prepare_cached(UPDATE)?;
        for &place in &self.changed {
            let slot = &self.slots[place];
            let chain = &slot.summary;
            let statement = if slot.stored { &mut update } else { &mut insert };
            statement.raw_bind_parameter(1, chain.id)?;
            statement.raw_bind_parameter(2, chain.entries)?;
            statement.raw_bind_parameter(3, chain.enters)?;
            statement.raw_bind_parameter(4, chain.leaves)?;
            statement.raw_bind_parameter(5, chain.first_timestamp)?;
            statement.raw_bind_parameter(6, chain.last_timestamp)?;
            statement.raw_bind_parameter(7, chain.last_entry_id)?;
            statement.raw_bind_parameter(8, &chain.sources.json)?;
            if !slot.stored {
                statement.raw_bind_parameter(9, &*slot.correlation_id)?;
            }
            statement.raw_execute()?;
        }
        Ok(())
    }

    /// The transaction that [`save`](Self::save) was part of has committed.
    pub(super) fn saved(&mut self) {
        for &place in &self.changed {
            let slot = &mut self.slots[place];
            slot.changed = false;
            slot.stored = true;
        }
        self.changed.clear();
        self.transaction += 1;
        if self.slots.len() > MAX_CACHED_CHAINS {
            self.forget_half();
        }
    }

    /// Drops the half of the chains that was not used for longest. Once per many new chains, so its cost disappears.
    fn forget_half(&mut self) {
        let mut used: Vec<u64> = self.slots.iter().map(|slot| slot.used).collect();
        let middle = used.len() / 2;
        let (_, &mut median, _) = used.select_nth_unstable(middle);
        self.slots.retain(|slot| slot.used > median && !slot.forgotten);
        self.places = self.slots.iter().enumerate().map(|(place, slot)| (slot.correlation_id.clone(), place)).collect();
    }

    /// Forgets a chain, because its row was changed by other means.
    pub(super) fn forget(&mut self, correlation_id: &str) {
        if let Some(place) = self.places.remove(correlation_id) {
            self.slots[place].forgotten = true;
        }
    }
}
