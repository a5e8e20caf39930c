//! Phase `store`: stores in this process, fed as fast as they take it: ours, and the original's schema.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::{Connection, params};
use tracehub_core::store::StoreWriter as _;
use tracehub_core::store::sqlite::{Durability, OpenOptions, open};
use tracehub_core::wire::ingest::IngestBatch;

use super::data::Source;
use super::measure::{Sample, Watch};
use super::plan::Plan;
use super::report::Budget;

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

/// The measurement that others are ratios of.
const RAW: Feed = Feed { entries: 500_000, group: 500, live: 200, durability: Durability::Normal, with_data: true };

pub(super) fn run(plan: &mut Plan) -> Result<()> {
    let raw = Feed { entries: if plan.quick { 200_000 } else { RAW.entries }, ..RAW };
    let ours = plan.measure("store, 500 a transaction", |_| ours(raw))?;
    let original = plan.measure("the original's schema, 500 a transaction", |_| original_schema(raw))?;
    let feeds = [
        ("store, 5000 a transaction", Feed { group: 5000, ..raw }),
        ("store, 500 a transaction, full", Feed { durability: Durability::Full, ..raw }),
    ];
    for (name, feed) in feeds {
        plan.measure(name, |_| self::ours(feed))?;
    }
    let wide = plan.measure("store, 20,000 chains alive", |_| self::ours(Feed { live: 20_000, ..raw }))?;
    let bare = plan.measure("store, no data", |_| self::ours(Feed { with_data: false, ..raw }))?;
    plan.raw_rate = Some(ours.rate);
    plan.report.judge("store / the original's schema, entries/s", ours.rate / original.rate, Budget::AtLeast(8.0));
    plan.report.judge("20,000 / 200 chains alive, entries/s", wide.rate / ours.rate, Budget::AtLeast(0.25));
    plan.report.judge("bytes per entry, no data", bare.bytes, Budget::AtMost(75.0));
    plan.report.judge("bytes per entry, data of 80 bytes", ours.bytes, Budget::AtMost(150.0));
    Ok(())
}

/// Makes a database of entries that arrived at a time (Unix seconds); gives the ids of some of its chains.
pub(super) fn fill(path: &Path, feed: Feed, arrived_at: i64) -> Result<Vec<String>> {
    const IDS: usize = 1_000;
    let options = OpenOptions { durability: feed.durability, ..OpenOptions::new(path) };
    let (mut writer, reader) = open(&options)?;
    let mut source = Source::new(1, feed.live, feed.with_data);
    let groups = feed.entries / feed.group;
    let mut ids = Vec::with_capacity(IDS);
    for group in 0..groups {
        let batch = IngestBatch::parse(source.body(feed.group).into_bytes()).context("the entries are not valid")?;
        // From all over the database, not from one end.
        let wanted = (IDS * (group + 1) / groups).saturating_sub(ids.len());
        let of_group = batch.entries().step_by(feed.group / (wanted + 1)).take(wanted);
        ids.extend(of_group.map(|entry| entry.correlation_id.to_owned()));
        writer.ingest(&[batch], arrived_at)?;
    }
    writer.finish()?;
    drop((writer, reader));
    fastrand::Rng::with_seed(5).shuffle(&mut ids);
    Ok(ids)
}

/// Our store. Parsing is not part of it.
pub(super) fn ours(feed: Feed) -> Result<Sample> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let path = folder.path().join("tracehub.db");
    let options = OpenOptions { durability: feed.durability, ..OpenOptions::new(&path) };
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
    Ok(Sample { bytes, ..Sample::of(feed.entries, elapsed, cpu) })
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
    Ok(Sample { bytes, ..Sample::of(feed.entries, elapsed, cpu) })
}

/// Brings everything into the database file itself, so that its size says how much there is.
fn checkpoint(path: &Path) -> Result<()> {
    Connection::open(path)?.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}
