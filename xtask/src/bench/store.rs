//! Stores in this process, fed as fast as they take it: ours, and the original's schema with the same entries.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::{Connection, params};
use tracehub_core::store::StoreWriter as _;
use tracehub_core::store::sqlite::{Durability, OpenOptions, open};
use tracehub_core::wire::ingest::IngestBatch;

use super::data::Source;
use super::measure::{Sample, Watch};

/// What to feed a store with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Feed {
    pub(super) entries: usize,
    /// Entries in a transaction.
    pub(super) group: usize,
    /// Chains that are alive at a time.
    pub(super) live: usize,
    pub(super) durability: Durability,
    pub(super) with_data: bool,
}

/// Our store. Parsing is not part of it.
pub(super) fn ours(feed: Feed) -> Result<Sample> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let path = folder.path().join("tracehub.db");
    let options = OpenOptions { path: path.clone(), durability: feed.durability, readers: 1 };
    let (mut writer, reader) = open(&options)?;
    let mut source = Source::new(1, feed.live, feed.with_data);
    let batches = (0..feed.entries / feed.group).map(|_| IngestBatch::parse(source.body(feed.group).into_bytes()));
    let batches = batches.collect::<Result<Vec<_>, _>>().context("the entries are not valid")?;
    let watch = Watch::start(&"self")?;
    for (second, batch) in (1_706_803_200..).zip(batches.chunks(1)) {
        writer.ingest(batch, second)?;
    }
    let (elapsed, cpu) = watch.stop()?;
    writer.finish()?;
    drop((writer, reader));
    checkpoint(&path)?;
    let bytes = fs::metadata(&path)?.len() as f64 / feed.entries as f64;
    Ok(Sample { bytes, ..sample(feed.entries, elapsed, cpu) })
}

/// The original's table and indexes, with a prepared statement and transactions as ours: its best case.
pub(super) fn original_schema(feed: Feed) -> Result<Sample> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let path = folder.path().join("tracehub.db");
    let mut connection = Connection::open(&path)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.execute_batch(
        "CREATE TABLE traces (
            id INTEGER PRIMARY KEY AUTOINCREMENT, source_id TEXT NOT NULL, correlation_id TEXT NOT NULL,
            timestamp REAL NOT NULL, suffix TEXT NOT NULL, direction TEXT NOT NULL, operation TEXT NOT NULL,
            endpoint TEXT NOT NULL, data TEXT, hostname TEXT, raw_line TEXT,
            created_at REAL DEFAULT (strftime('%s', 'now')), UNIQUE(correlation_id, timestamp, suffix));
         CREATE INDEX idx_correlation_id ON traces(correlation_id);
         CREATE INDEX idx_timestamp ON traces(timestamp);
         CREATE INDEX idx_source_id ON traces(source_id);",
    )?;
    let mut source = Source::new(1, feed.live, feed.with_data);
    let entries: Vec<_> = (0..feed.entries).map(|_| source.next()).collect();
    let watch = Watch::start(&"self")?;
    for group in entries.chunks(feed.group) {
        let transaction = connection.transaction()?;
        let mut insert = transaction.prepare_cached(
            "INSERT OR IGNORE INTO traces (source_id, correlation_id, timestamp, suffix, direction, operation, \
             endpoint, data, hostname, raw_line) VALUES (?1, ?2, ?3, ?4, ?5, 'REST', ?6, ?7, ?8, NULL)",
        )?;
        for entry in group {
            insert.execute(params![
                entry.source_id,
                entry.correlation_id,
                entry.timestamp,
                entry.suffix,
                entry.direction,
                entry.endpoint,
                entry.data,
                entry.hostname
            ])?;
        }
        drop(insert);
        transaction.commit()?;
    }
    let (elapsed, cpu) = watch.stop()?;
    drop(connection);
    checkpoint(&path)?;
    let bytes = fs::metadata(&path)?.len() as f64 / feed.entries as f64;
    Ok(Sample { bytes, ..sample(feed.entries, elapsed, cpu) })
}

pub(super) fn sample(entries: usize, elapsed: f64, cpu: f64) -> Sample {
    Sample { rate: entries as f64 / elapsed, cpu: cpu * 1e6 / entries as f64, ..Sample::default() }
}

/// Brings everything into the database file itself, so that its size says how much there is.
fn checkpoint(path: &Path) -> Result<()> {
    Connection::open(path)?.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}
