//! Writing: a group of batches becomes rows in one transaction.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{CachedStatement, Connection, TransactionBehavior};

use super::chains::Chains;

use super::identity::{self, Identities, Identity};
use super::log_check::LogDamage;
use super::migrate;
use super::recent::Recent;
use super::sites::{SiteKey, SiteTable, Sites};
use super::space::Place;
use super::{ENTER, LEAVE};
use crate::entry::EntryRef;
use crate::store::{Deleted, EntryId, Receipt, StoreError, StoreSize, StoreWriter};
use crate::wire::ingest::IngestBatch;

const INSERT_ENTRY: &str = "INSERT INTO entries \
     (id, chain, timestamp, suffix, site, direction, data, raw_line) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

const INSERT_ARRIVAL: &str = "INSERT INTO arrivals (first_entry_id, arrived_at) VALUES (?1, ?2)";

/// The one connection that writes, and what it remembers between transactions.
#[derive(Debug)]
pub struct SqliteWriter {
    pub(super) connection: Connection,
    pub(super) chains: Chains,
    recent: Recent,
    sites: Sites,
    pub(super) identity_seed: u64,
    pub(super) next_entry_id: i64,
    pub(super) path: PathBuf,
    pub(super) place: Place,
    /// The arrival time of the newest row of `arrivals`, Unix seconds.
    last_arrival: Option<i64>,
    pub(super) log_damage: Option<LogDamage>,
    /// While it is open, no other server takes the file.
    pub(super) lock: File,
    /// Whether what is remembered of chains is more than what is stored, because a transaction failed.
    stale: bool,
}

impl SqliteWriter {
    pub(super) fn new(
        connection: Connection,
        path: &Path,
        sites: SiteTable,
        recent: Recent,
        lock: File,
    ) -> rusqlite::Result<Self> {
        let sites = Sites::load(&connection, sites)?;
        let mut chains = Chains::load(&connection, recent.clone())?;
        chains.recover(&connection, sites.table())?;
        Ok(Self {
            chains,
            recent,
            sites,
            identity_seed: identity::seed(&connection)?,
            next_entry_id: next_entry_id(&connection)?,
            path: path.to_owned(),
            place: Place::of(path),
            last_arrival: last_arrival(&connection)?,
            connection,
            log_damage: None,
            lock,
            stale: false,
        })
    }

    /// What was wrong with the database's log when it was opened: then something that was committed is lost, by no fault of
    /// a program. A copy of the log lies beside the database (`<database>.damaged-wal`).
    #[must_use]
    pub fn log_damage(&self) -> Option<LogDamage> {
        self.log_damage
    }

    /// Runs one transaction; after one that failed, what is remembered is read again from what is stored.
    pub(super) fn in_transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Chains, &mut Sites, &Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        if self.stale {
            self.chains = Chains::load(&self.connection, self.recent.clone())?;
        }
        self.stale = true;
        let next_entry_id = self.next_entry_id;
        let value =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|transaction| {
                let value = work(&mut self.chains, &mut self.sites, &transaction)?;
                self.sites.save(&transaction)?;
                self.chains.save(&transaction)?;
                self.chains.save_listed_to(&transaction, next_entry_id)?;
                transaction.commit()?;
                Ok(value)
            })?;
        self.stale = false;
        self.sites.saved();
        self.chains.saved();
        Ok(value)
    }

    /// Writes what is kept in memory, and says in the file that nothing is any more.
    fn write_all(&mut self) -> rusqlite::Result<()> {
        self.in_transaction(|chains, _, connection| chains.save_all(connection))?;
        let listed_to = self.next_entry_id - 1;
        self.connection.execute("UPDATE sequence SET listed_to = ?1", [listed_to]).map(drop)
    }

    /// Commits a transaction that changes nothing, and has everything synced.
    fn write_nothing(&self) -> rusqlite::Result<()> {
        // SQLite passes over a row that would be as it was, but writes this number down however it was.
        self.connection.pragma_update(None, "user_version", migrate::NEWEST)?;
        // `normal` syncs with this alone.
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }

    pub(super) fn site_table(&self) -> &SiteTable {
        self.sites.table()
    }

    fn ingest_group(&mut self, batches: &[IngestBatch], now: i64) -> rusqlite::Result<Vec<Receipt>> {
        self.store(|group| {
            let mut receipts = Vec::with_capacity(batches.len());
            for batch in batches {
                let mut ids = Vec::with_capacity(batch.len());
                for entry in batch.entries() {
                    ids.push(group.add(&entry, now)?);
                }
                receipts.push(Receipt { ids });
            }
            Ok(receipts)
        })
    }

    /// Stores the entries that `work` adds in one transaction.
    pub(super) fn store<T>(&mut self, work: impl FnOnce(&mut Group<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let (next_id, last_arrival) = (self.next_entry_id, self.last_arrival);
        let seed = self.identity_seed;
        let (value, next_id, last_arrival) = self.in_transaction(|chains, sites, connection| {
            let mut group = Group {
                identities: Identities::prepare(connection, sites.table(), seed)?,
                insert: connection.prepare_cached(INSERT_ENTRY)?,
                insert_arrival: connection.prepare_cached(INSERT_ARRIVAL)?,
                select_chain: Chains::select(connection)?,
                chains,
                sites,
                next_id,
                last_arrival,
            };
            let value = work(&mut group)?;
            Ok((value, group.next_id, group.last_arrival))
        })?;
        self.next_entry_id = next_id;
        self.last_arrival = last_arrival;
        Ok(value)
    }

    /// A row for each second of arrivals, of which there are few.
    fn move_arrivals(&mut self, seconds: i64, now: i64) -> rusqlite::Result<()> {
        self.connection.execute(
            "UPDATE arrivals SET arrived_at = min(arrived_at + ?1, ?2) WHERE ?1 <> 0 OR arrived_at > ?2",
            (seconds, now),
        )?;
        self.last_arrival = last_arrival(&self.connection)?;
        Ok(())
    }

    /// Ends the writing; gives the connection, with everything in the database itself.
    pub(super) fn into_connection(mut self) -> rusqlite::Result<Connection> {
        self.write_all()?;
        Ok(self.connection)
    }
}

/// Entries on their way into one transaction.
pub(super) struct Group<'a> {
    identities: Identities<'a>,
    insert: CachedStatement<'a>,
    insert_arrival: CachedStatement<'a>,
    select_chain: CachedStatement<'a>,
    chains: &'a mut Chains,
    sites: &'a mut Sites,
    next_id: i64,
    last_arrival: Option<i64>,
}

impl Group<'_> {
    /// Adds an entry that arrived at a time (Unix seconds); gives its id, or none if it is a duplicate.
    pub(super) fn add(&mut self, entry: &EntryRef<'_>, arrived_at: i64) -> rusqlite::Result<Option<EntryId>> {
        let slot = self.chains.find(&mut self.select_chain, entry.correlation_id)?;
        let (chain, id) = (self.chains.id(slot), EntryId(self.next_id));
        let identity = Identity {
            chain,
            timestamp: entry.timestamp,
            suffix: entry.suffix,
            source_id: entry.source_id,
            direction: entry.direction,
        };
        if !self.identities.claim(&identity, id)? {
            return Ok(None);
        }
        let site = self.sites.intern(entry);
        insert_entry(&mut self.insert, id, chain, &site, entry)?;
        self.chains.count(slot, id, entry, site.number());
        self.next_id += 1;
        if self.last_arrival != Some(arrived_at) {
            self.insert_arrival.execute((id.0, arrived_at))?;
            self.last_arrival = Some(arrived_at);
        }
        Ok(Some(id))
    }
}

impl StoreWriter for SqliteWriter {
    fn ingest(&mut self, batches: &[IngestBatch], now: i64) -> Result<Vec<Receipt>, StoreError> {
        self.ingest_group(batches, now).map_err(|err| self.failure(err, StoreError::Ingest))
    }

    fn adjust_arrivals(&mut self, seconds: i64, now: i64) -> Result<(), StoreError> {
        self.move_arrivals(seconds, now).map_err(|err| self.failure(err, StoreError::Adjust))
    }

    fn delete_arrived_before(&mut self, cutoff: i64, limit: u32) -> Result<Deleted, StoreError> {
        self.delete_before(cutoff, limit).map_err(|err| self.failure(err, StoreError::Delete))
    }

    fn delete_oldest(&mut self, limit: u32) -> Result<Deleted, StoreError> {
        self.delete_below(self.next_entry_id, limit).map_err(|err| self.failure(err, StoreError::Delete))
    }

    fn give_back(&mut self, bytes: u64) -> Result<u64, StoreError> {
        self.shrink(bytes).map_err(|err| self.failure(err, StoreError::GiveBack))
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        self.shorten_log().map_err(|err| self.failure(err, StoreError::Settle))
    }

    fn size(&self) -> Result<StoreSize, StoreError> {
        self.check_place()?;
        self.room().map_err(StoreError::Size)
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        self.write_nothing().map_err(|err| self.failure(err, StoreError::Ingest))
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        self.write_all().map_err(|err| self.failure(err, StoreError::Ingest))
    }
}

/// Inserts an entry. Bound by hand: this runs once per entry.
fn insert_entry(
    insert: &mut CachedStatement<'_>,
    id: EntryId,
    chain: i64,
    site: &SiteKey,
    entry: &EntryRef<'_>,
) -> rusqlite::Result<()> {
    insert.raw_bind_parameter(1, id.0)?;
    insert.raw_bind_parameter(2, chain)?;
    insert.raw_bind_parameter(3, entry.timestamp)?;
    insert.raw_bind_parameter(4, entry.suffix)?;
    insert.raw_bind_parameter(5, site)?;
    match entry.direction {
        "->" => insert.raw_bind_parameter(6, ENTER)?,
        "<-" => insert.raw_bind_parameter(6, LEAVE)?,
        mark => insert.raw_bind_parameter(6, mark)?,
    }
    insert.raw_bind_parameter(7, entry.data)?;
    insert.raw_bind_parameter(8, entry.raw_line)?;
    insert.raw_execute().map(drop)
}

/// The larger of what was written down and what is stored: ids are never given twice.
fn next_entry_id(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row(
        "SELECT max(next_entry_id, (SELECT coalesce(max(id), 0) + 1 FROM entries)) FROM sequence",
        [],
        |row| row.get(0),
    )
}

fn last_arrival(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT (SELECT arrived_at FROM arrivals ORDER BY first_entry_id DESC LIMIT 1)", [], |row| {
        row.get(0)
    })
}
