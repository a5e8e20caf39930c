//! Reading: each query is one snapshot of the database, on a read-only connection of the pool.

use std::path::{Path, PathBuf};
use std::time::Duration;

use r2d2::{Pool, PooledConnection};
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{OpenFlags, OptionalExtension as _, Row};

use super::failure::store_error;
use super::list::{self, Listing, first_id_since};
use super::open::BUSY_TIMEOUT;
use super::recent::{Recent, RecentChain};
use super::sites::{Site, SiteTable};
use super::snapshot::Snapshot;
use super::{OpenOptions, direction, id_list};
use crate::entry::EntryRef;
use crate::query::{ChainPage, ChainQuery};
use crate::store::{EntryId, StoreError, StoreReader};
use crate::wire::stats::StoredStats;

/// The columns that [`entry_of`] takes, in its order.
macro_rules! entry_columns {
    () => {
        "timestamp, suffix, site, direction, data, raw_line"
    };
}

/// The connections that read.
#[derive(Debug, Clone)]
pub struct SqliteReader {
    pool: Pool<SqliteConnectionManager>,
    path: PathBuf,
    /// How long one question may take.
    timeout: Duration,
    sites: SiteTable,
    recent: Recent,
}

impl SqliteReader {
    pub(super) fn connect(
        path: &Path,
        options: &OpenOptions,
        sites: SiteTable,
        recent: Recent,
    ) -> Result<Self, r2d2::Error> {
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let manager = SqliteConnectionManager::file(path).with_flags(flags).with_init(|connection| {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            // 4 MiB each: the operating system's cache holds the rest once, not once per connection.
            connection.pragma_update(None, "cache_size", -4096)
        });
        let pool = Pool::builder()
            .max_size(options.readers.max(1))
            // A reader that waits longer for its turn is better told so than kept.
            .connection_timeout(Duration::from_secs(5))
            .test_on_check_out(false)
            .build(manager)?;
        Ok(Self { pool, path: path.to_owned(), timeout: options.read_timeout, sites, recent })
    }

    /// Runs one read transaction.
    fn read<T>(&self, query: impl FnOnce(&Snapshot<'_>) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let mut connection: PooledConnection<_> = self.pool.get().map_err(|err| StoreError::Read(err.into()))?;
        let run = || query(&Snapshot::take(&mut connection, self.timeout)?);
        run().map_err(|err| store_error(err, StoreError::Read))
    }
}

impl StoreReader for SqliteReader {
    fn chain_entry_ids(&self, correlation_id: &str, after: EntryId) -> Result<Vec<EntryId>, StoreError> {
        // Recent before the snapshot: see there.
        let recent = self.recent.get(correlation_id);
        self.read(|snapshot| {
            Ok(chain_ids(snapshot, correlation_id, recent, after.0)?.into_iter().map(EntryId).collect())
        })
    }

    fn chain_entry_ids_by_time(&self, correlation_id: &str, since: Option<f64>) -> Result<Vec<EntryId>, StoreError> {
        let recent = self.recent.get(correlation_id);
        self.read(|snapshot| ids_by_time(snapshot, &chain_ids(snapshot, correlation_id, recent, 0)?, since))
    }

    fn entries(
        &self,
        correlation_id: &str,
        ids: &[EntryId],
        visit: &mut dyn FnMut(EntryId, &EntryRef<'_>),
    ) -> Result<(), StoreError> {
        self.read(|snapshot| {
            let mut by_id = snapshot.statement(concat!("SELECT ", entry_columns!(), " FROM entries WHERE id = ?1"))?;
            for id in snapshot.in_time(ids.iter()) {
                let id = *id?;
                let mut rows = by_id.query([id.0])?;
                if let Some(row) = rows.next()? {
                    let site = self.sites.resolve(row.get_ref(2)?)?;
                    visit(id, &entry_of(row, &site, correlation_id)?);
                }
            }
            Ok(())
        })
    }

    fn entries_after(
        &self,
        after: EntryId,
        limit: u32,
        visit: &mut dyn FnMut(EntryId, &EntryRef<'_>) -> bool,
    ) -> Result<Option<EntryId>, StoreError> {
        self.read(|snapshot| {
            let mut entries = snapshot.statement(concat!(
                "SELECT ",
                entry_columns!(),
                ", entries.id, correlation_id FROM entries JOIN chains ON chains.id = entries.chain \
                 WHERE entries.id > ?1 ORDER BY entries.id LIMIT ?2"
            ))?;
            let mut rows = entries.query((after.0, limit))?;
            let mut last = None;
            while let Some(row) = rows.next()? {
                let id = EntryId(row.get(6)?);
                let site = self.sites.resolve(row.get_ref(2)?)?;
                last = Some(id);
                if !visit(id, &entry_of(row, &site, row.get_ref(7)?.as_str()?)?) {
                    break;
                }
            }
            Ok(last)
        })
    }

    fn newest_entry_id(&self) -> Result<EntryId, StoreError> {
        self.read(|snapshot| {
            snapshot.statement("SELECT coalesce(max(id), 0) FROM entries")?.query_row([], |row| row.get(0)).map(EntryId)
        })
    }

    fn entry_id_before(&self, arrived_at: i64) -> Result<EntryId, StoreError> {
        match self.read(|snapshot| first_id_since(snapshot, arrived_at))? {
            Some(first) => Ok(EntryId(first - 1)),
            None => self.newest_entry_id(),
        }
    }

    fn totals(&self) -> Result<StoredStats, StoreError> {
        let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        let mut wal = self.path.clone().into_os_string();
        wal.push("-wal");
        self.read(|snapshot| {
            // Entries' ids follow each other without gaps and the oldest go first, so the ends say how many there are.
            // Chains' ids do too, but a chain that goes on outlives younger ones.
            let mut ends = snapshot.statement(
                "SELECT (SELECT min(id) FROM entries), (SELECT max(id) FROM entries), \
                        (SELECT min(id) FROM chains), (SELECT max(id) FROM chains)",
            )?;
            ends.query_row([], |row| {
                let newest: Option<i64> = row.get(1)?;
                Ok(StoredStats {
                    entries: span(row.get(0)?, newest),
                    chains_at_most: span(row.get(2)?, row.get(3)?),
                    newest_id: EntryId(newest.unwrap_or(0)),
                    database_bytes: bytes(&self.path),
                    wal_bytes: bytes(Path::new(&wal)),
                })
            })
        })
    }

    fn correlations(&self, query: &ChainQuery) -> Result<ChainPage, StoreError> {
        if query.is_unfiltered() {
            let recent = self.recent.newest(query.limit as usize + 1);
            return self.read(|snapshot| list::newest(snapshot, query.limit, recent));
        }
        let listing = Listing::begin(query, &self.sites, &self.recent);
        self.read(|snapshot| listing.page(snapshot))
    }
}

/// How many numbers there are from the first to the last.
fn span(first: Option<i64>, last: Option<i64>) -> u64 {
    first.zip(last).and_then(|(first, last)| u64::try_from(last - first + 1).ok()).unwrap_or(0)
}

/// The ids of a chain's entries after `after`, in order of commit: those of its blocks, and the recent ones.
pub(super) fn chain_ids(
    snapshot: &Snapshot<'_>,
    correlation_id: &str,
    recent: Option<RecentChain>,
    after: i64,
) -> rusqlite::Result<Vec<i64>> {
    let mut blocks = snapshot.statement(
        "SELECT ids FROM chain_entries \
         WHERE chain = (SELECT id FROM chains WHERE correlation_id = ?1) AND last_id > ?2 ORDER BY last_id",
    )?;
    let mut rows = blocks.query((correlation_id, after))?;
    let mut ids = Vec::new();
    while let Some(row) = rows.next()? {
        id_list::decode_into(row.get_ref(0)?.as_blob()?, &mut ids);
    }
    // What was moved into a block between the two looks is in both.
    let listed_to = ids.last().copied().unwrap_or(0);
    ids.extend(recent.into_iter().flat_map(|chain| chain.ids).filter(|id| *id > listed_to));
    // A block may begin with entries that are gone: the oldest ids go first, whichever chain they are of.
    let oldest: Option<i64> = snapshot.statement("SELECT min(id) FROM entries")?.query_row([], |row| row.get(0))?;
    ids.retain(|id| *id > after && oldest.is_some_and(|oldest| *id >= oldest));
    Ok(ids)
}

/// The ids of entries that are still there and late enough, ordered by timestamp, ties by id.
fn ids_by_time(snapshot: &Snapshot<'_>, ids: &[i64], since: Option<f64>) -> rusqlite::Result<Vec<EntryId>> {
    let mut timestamp = snapshot.statement("SELECT timestamp FROM entries WHERE id = ?1")?;
    let mut timed: Vec<(f64, i64)> = Vec::with_capacity(ids.len());
    for id in snapshot.in_time(ids.iter()) {
        let id = *id?;
        if let Some(timestamp) = timestamp.query_row([id], |row| row.get(0)).optional()?
            && since.is_none_or(|since| timestamp > since)
        {
            timed.push((timestamp, id));
        }
    }
    if !timed.is_sorted_by(|a, b| a.0 <= b.0) {
        timed.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    Ok(timed.into_iter().map(|(_, id)| EntryId(id)).collect())
}

/// An entry from a row of [`entry_columns`].
fn entry_of<'a>(row: &'a Row<'_>, site: &'a Site, correlation_id: &'a str) -> rusqlite::Result<EntryRef<'a>> {
    Ok(EntryRef {
        source_id: site.source(),
        correlation_id,
        timestamp: row.get(0)?,
        suffix: row.get_ref(1)?.as_str()?,
        direction: direction(row.get_ref(3)?)?,
        operation: site.operation(),
        endpoint: site.endpoint(),
        data: row.get_ref(4)?.as_str_or_null()?,
        hostname: site.hostname(),
        raw_line: row.get_ref(5)?.as_str_or_null()?,
    })
}
