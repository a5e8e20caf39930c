//! What is left on a disk, by the server's own store: which batches are there whole, and whether anything is broken.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use rusqlite::Connection;
use tracehub_core::query::ChainQuery;
use tracehub_core::store::StoreReader as _;
use tracehub_core::store::sqlite::{Durability, OpenOptions, open};

use super::disk::Image;
use super::load;

/// What was found on one disk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Batches that were answered and are not there.
    pub(super) lost: u32,
    /// Batches of which a part is there.
    pub(super) halves: u32,
    /// Why the database cannot be used or is not whole.
    pub(super) broken: Option<String>,
    /// Whether the store says that its log is damaged, as it does when a disk has lost what was synced.
    pub(super) alarm: bool,
}

/// Opens what a power cut has left. `answered` says for each batch whether it was answered before.
pub(super) fn judge(image: &Image, answered: &[bool], folder: &Path) -> Result<Verdict> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for (name, bytes) in image {
        fs::write(folder.join(name), bytes).with_context(|| format!("cannot write the image's {name}"))?;
    }
    let path = folder.join("tracehub.db");
    let mut verdict = Verdict::default();
    match counts(&path, &mut verdict) {
        Ok(counts) => {
            for (batch, answered) in (0..).zip(answered) {
                match counts.get(&load::chain(batch)).copied().unwrap_or(0) {
                    0 => verdict.lost += u32::from(*answered),
                    count if count == u64::from(load::entries(batch)) => {}
                    _ => verdict.halves += 1,
                }
            }
        }
        Err(err) => {
            verdict.lost = answered.iter().map(|answered| u32::from(*answered)).sum();
            verdict.broken = Some(format!("{err:#}"));
        }
    }
    Ok(verdict)
}

/// How many entries each chain has, by the store and by the tables, which must say the same.
fn counts(path: &Path, verdict: &mut Verdict) -> Result<HashMap<String, u64>> {
    // Nothing that this store writes has to outlive the next power cut.
    let options = OpenOptions { durability: Durability::Normal, readers: 1, ..OpenOptions::new(path) };
    let (writer, reader) = open(&options)?;
    verdict.alarm = writer.log_damage().is_some();
    let mut listed = HashMap::new();
    let mut query = ChainQuery { limit: 10_000, ..ChainQuery::default() };
    loop {
        let page = reader.correlations(&query)?;
        listed.extend(page.chains.into_iter().map(|chain| (chain.correlation_id, chain.trace_count)));
        match page.next {
            Some(next) => query.before = Some(next),
            None => break,
        }
    }
    drop((writer, reader));
    let file = Connection::open(path)?;
    let whole: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    anyhow::ensure!(whole == "ok", "integrity_check: {whole}");
    let mut statement = file.prepare(
        "SELECT correlation_id, count(*) FROM entries JOIN chains ON chains.id = entries.chain GROUP BY chains.id",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let stored = rows.collect::<Result<HashMap<String, u64>, _>>()?;
    anyhow::ensure!(stored == listed, "the list of chains is not what is stored");
    Ok(stored)
}
