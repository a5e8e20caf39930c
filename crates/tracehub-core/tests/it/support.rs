//! Temporary stores, and batches made from short notes.

use std::path::Path;

use serde_json::json;
use tempfile::TempDir;
use tracehub_core::store::sqlite::{Durability, OpenError, OpenOptions, SqliteReader, SqliteWriter, open};
use tracehub_core::store::{ChainFilter, StoreReader as _};
use tracehub_core::wire::ingest::IngestBatch;

/// A store in a folder of its own, deleted with it.
pub(crate) struct TempStore {
    pub(crate) writer: SqliteWriter,
    pub(crate) reader: SqliteReader,
    pub(crate) folder: TempDir,
}

impl TempStore {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (writer, reader) = open_at(&folder.path().join("tracehub.db")).expect("a new store");
        Self { writer, reader, folder }
    }

    /// Closes the store and opens the same file again.
    pub(crate) fn reopen(self) -> Self {
        let Self { writer, reader, folder } = self;
        drop((writer, reader));
        let (writer, reader) = open_at(&folder.path().join("tracehub.db")).expect("the same store");
        Self { writer, reader, folder }
    }

    /// The suffixes of a chain's entries, in the store's order.
    pub(crate) fn suffixes(&self, correlation_id: &str) -> Vec<String> {
        let mut suffixes = Vec::new();
        self.reader
            .chain(correlation_id, ChainFilter::default(), &mut |entry| suffixes.push(entry.suffix.to_owned()))
            .expect("the chain is read");
        suffixes
    }
}

/// How many rows a table has, read from the file itself.
pub(crate) fn rows(store: &TempStore, table: &str) -> usize {
    let file = rusqlite::Connection::open(store.folder.path().join("tracehub.db")).expect("the file opens");
    file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("the table is there")
}

pub(crate) fn open_at(path: &Path) -> Result<(SqliteWriter, SqliteReader), OpenError> {
    open(&OpenOptions { durability: Durability::Normal, ..OpenOptions::new(path) })
}

/// One entry of a batch: the parts that tests care about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Note {
    pub(crate) chain: String,
    pub(crate) source: String,
    pub(crate) timestamp: f64,
    pub(crate) suffix: String,
    pub(crate) direction: String,
}

pub(crate) fn note(chain: &str, timestamp: f64, suffix: &str, direction: &str) -> Note {
    Note {
        chain: chain.to_owned(),
        source: "MA".to_owned(),
        timestamp,
        suffix: suffix.to_owned(),
        direction: direction.to_owned(),
    }
}

pub(crate) fn batch(notes: &[Note]) -> IngestBatch {
    let traces: Vec<_> = notes
        .iter()
        .map(|note| {
            json!({
                "source_id": note.source, "correlation_id": note.chain, "timestamp": note.timestamp,
                "suffix": note.suffix, "direction": note.direction, "operation": "REST", "endpoint": "/x",
                "data": {"n": 1},
            })
        })
        .collect();
    IngestBatch::parse(json!({ "traces": traces }).to_string().into_bytes()).expect("a valid batch")
}
