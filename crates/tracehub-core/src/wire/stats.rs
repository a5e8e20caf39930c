//! What `GET /stats` answers: how much there is, what waits, and what came since the start.

use serde::{Deserialize, Serialize};

use crate::store::EntryId;

/// The answer to `GET /stats`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StatsAnswer {
    /// The server's version.
    pub version: String,
    /// How long it has been running, in seconds.
    pub uptime_seconds: f64,
    /// What is stored.
    pub stored: StoredStats,
    /// What waits for the writer.
    pub queue: QueueStats,
    /// Open streams.
    pub streams: u64,
    /// What came since the start.
    pub since_start: IngestStats,
}

/// What is stored, and what it takes on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StoredStats {
    /// Entries.
    pub entries: u64,
    /// An upper bound of the chains: how many began since the oldest one that is still there.
    pub chains_at_most: u64,
    /// The newest entry's id; 0 if there is none.
    pub newest_id: EntryId,
    /// Bytes of the database file.
    pub database_bytes: u64,
    /// Bytes of the write-ahead log beside it.
    pub wal_bytes: u64,
}

/// What is accepted and not committed yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueueStats {
    /// Entries that wait.
    pub entries: u64,
    /// Bytes that they hold in memory.
    pub bytes: u64,
}

/// What the requests that were answered since the start came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IngestStats {
    /// Entries that were new.
    pub inserted: u64,
    /// Entries that were stored already.
    pub duplicates: u64,
    /// Requests that were refused, for whatever reason; nothing of them was stored.
    pub refused_requests: u64,
}
