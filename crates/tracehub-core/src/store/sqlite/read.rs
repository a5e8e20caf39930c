//! Reading: each query is one snapshot of the database, on a read-only connection of the pool.

use std::path::Path;

use r2d2::{Pool, PooledConnection};
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::types::ValueRef;
use rusqlite::{OpenFlags, OptionalExtension as _, Row, Transaction};

use super::names::NameTable;
use super::{ENTER, LEAVE};
use crate::entry::EntryRef;

use crate::store::{BoxError, ChainFilter, EntryId, StoreError, StoreReader};
use crate::wire::read::{CorrelationSummary, is_complete};

/// The columns of [`EntryRow`], in its order.
macro_rules! entry_columns {
    () => {
        "timestamp, suffix, source, direction, operation, endpoint, hostname, data, raw_line, id"
    };
}

/// The connections that read.
#[derive(Debug, Clone)]
pub struct SqliteReader {
    pool: Pool<SqliteConnectionManager>,
    names: NameTable,
}

impl SqliteReader {
    pub(super) fn connect(path: &Path, readers: u32, names: NameTable) -> Result<Self, r2d2::Error> {
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let manager = SqliteConnectionManager::file(path).with_flags(flags).with_init(|connection| {
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            // 4 MiB each: the operating system's cache holds the rest once, not once per connection.
            connection.pragma_update(None, "cache_size", -4096)
        });
        let pool = Pool::builder().max_size(readers.max(1)).test_on_check_out(false).build(manager)?;
        Ok(Self { pool, names })
    }

    /// Runs one read transaction.
    fn read<T>(&self, query: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let read = || -> Result<T, BoxError> {
            let mut connection: PooledConnection<_> = self.pool.get()?;
            let snapshot = connection.transaction()?;
            Ok(query(&snapshot)?)
        };
        read().map_err(StoreError::Read)
    }
}

impl StoreReader for SqliteReader {
    fn chain(
        &self,
        correlation_id: &str,
        filter: ChainFilter<'_>,
        visit: &mut dyn FnMut(&EntryRef<'_>),
    ) -> Result<(), StoreError> {
        self.read(|snapshot| {
            let Some(chain) = chain_id(snapshot, correlation_id)? else {
                return Ok(());
            };
            let mut entries = snapshot.prepare_cached(concat!(
                "SELECT ",
                entry_columns!(),
                " FROM entries WHERE chain = ?1 AND timestamp > ?2 ORDER BY timestamp, id"
            ))?;
            // Every stored timestamp is finite, so this is the range of all.
            let since = filter.since_timestamp.unwrap_or(f64::NEG_INFINITY);
            let mut rows = entries.query((chain, since))?;
            while let Some(row) = rows.next()? {
                let entry = EntryRow { row, names: &self.names }.entry(correlation_id)?;
                if filter.source_id.is_none_or(|source_id| source_id == entry.source_id) {
                    visit(&entry);
                }
            }
            Ok(())
        })
    }

    fn chain_entry_ids(&self, correlation_id: &str, after: EntryId) -> Result<Vec<EntryId>, StoreError> {
        self.read(|snapshot| {
            let Some(chain) = chain_id(snapshot, correlation_id)? else {
                return Ok(Vec::new());
            };
            // The index holds the id, so no row is read; what it gives is in time order and is put in commit order here.
            let mut ids = snapshot.prepare_cached("SELECT id FROM entries WHERE chain = ?1 AND +id > ?2")?;
            let mut ids = ids
                .query_map((chain, after.0), |row| row.get(0).map(EntryId))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            ids.sort_unstable();
            Ok(ids)
        })
    }

    fn entries(
        &self,
        correlation_id: &str,
        ids: &[EntryId],
        visit: &mut dyn FnMut(EntryId, &EntryRef<'_>),
    ) -> Result<(), StoreError> {
        self.read(|snapshot| {
            let mut by_id =
                snapshot.prepare_cached(concat!("SELECT ", entry_columns!(), " FROM entries WHERE id = ?1"))?;
            for &id in ids {
                let mut rows = by_id.query([id.0])?;
                if let Some(row) = rows.next()? {
                    visit(id, &EntryRow { row, names: &self.names }.entry(correlation_id)?);
                }
            }
            Ok(())
        })
    }

    fn correlations(&self, limit: u32) -> Result<Vec<CorrelationSummary>, StoreError> {
        self.read(|snapshot| {
            let mut newest = snapshot.prepare_cached(
                "SELECT correlation_id, entries, enters, leaves, first_timestamp, last_timestamp, sources \
                 FROM chains ORDER BY last_entry_id DESC LIMIT ?1",
            )?;
            newest.query_map([limit], read_correlation)?.collect()
        })
    }
}

fn chain_id(snapshot: &Transaction<'_>, correlation_id: &str) -> rusqlite::Result<Option<i64>> {
    snapshot
        .prepare_cached("SELECT id FROM chains WHERE correlation_id = ?1")?
        .query_row([correlation_id], |row| row.get(0))
        .optional()
}

fn read_correlation(row: &Row<'_>) -> rusqlite::Result<CorrelationSummary> {
    let (first_ts, last_ts): (f64, f64) = (row.get(4)?, row.get(5)?);
    Ok(CorrelationSummary {
        correlation_id: row.get(0)?,
        trace_count: row.get(1)?,
        first_ts,
        last_ts,
        duration_ms: whole_milliseconds(last_ts - first_ts),
        // The text is this program's own JSON; were it damaged, the chain would still be listed.
        sources: serde_json::from_str(row.get_ref(6)?.as_str()?).unwrap_or_default(),
        complete: Some(is_complete(row.get(2)?, row.get(3)?)),
    })
}

#[expect(clippy::cast_possible_truncation, reason = "cutting off is what the original does; beyond i64 it saturates")]
fn whole_milliseconds(duration: f64) -> i64 {
    duration as i64
}

/// A row of `entries`.
struct EntryRow<'a> {
    row: &'a Row<'a>,
    names: &'a NameTable,
}

impl<'a> EntryRow<'a> {
    fn entry(&self, correlation_id: &'a str) -> rusqlite::Result<EntryRef<'a>> {
        Ok(EntryRef {
            source_id: self.name(2)?,
            correlation_id,
            timestamp: self.row.get(0)?,
            suffix: self.row.get_ref(1)?.as_str()?,
            direction: match self.row.get_ref(3)? {
                ValueRef::Integer(ENTER) => "->",
                ValueRef::Integer(LEAVE) => "<-",
                mark => mark.as_str()?,
            },
            operation: self.name(4)?,
            endpoint: self.name(5)?,
            data: self.row.get_ref(7)?.as_str_or_null()?,
            hostname: self.name(6)?,
            raw_line: self.row.get_ref(8)?.as_str_or_null()?,
        })
    }

    fn name(&self, column: usize) -> rusqlite::Result<&'a str> {
        self.names.resolve(self.row.get_ref(column)?)
    }
}
