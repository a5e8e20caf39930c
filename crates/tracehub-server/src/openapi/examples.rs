//! Examples: one small chain, and what the server says of it, written by the code that answers.

use serde::Serialize;
use serde_json::{Value, json};
use tracehub_core::TraceEntry;
use tracehub_core::store::EntryId;
use tracehub_core::wire::calls::CallsAnswer;
use tracehub_core::wire::compare::CompareAnswer;
use tracehub_core::wire::health::{Check, ReadyAnswer, ReadyChecks};
use tracehub_core::wire::ingest::{IngestAnswer, IngestSingleAnswer};
use tracehub_core::wire::read::{
    ChainWriter, CleanupAnswer, CorrelationSummary, CorrelationsAnswer, HealthAnswer, RecentWriter, write_entry,
};
use tracehub_core::wire::stats::{IngestStats, QueueStats, StatsAnswer, StoredStats};

/// The chain of the examples.
pub(super) const CHAIN: &str = "order-42";
/// One to compare it with.
pub(super) const OTHER_CHAIN: &str = "order-43";
/// When they began, Unix ms.
const START: f64 = 1_706_803_200_000.0;

/// A manager's call with a worker's call inside it.
fn entries(chain: &str, duration_ms: f64) -> Vec<TraceEntry> {
    let at = |source: &str, host: &str, operation: &str, endpoint: &str, direction: &str, after_ms: f64| {
        let entry = TraceEntry::builder(source, chain).hostname(host).operation(operation).endpoint(endpoint);
        let entry = entry.direction(direction.into()).timestamp(START + after_ms).suffix("a1");
        let entry = if source == "MA" { entry.data_json(r#"{"items":3}"#) } else { entry };
        entry.build().ok()
    };
    let entries = [
        at("MA", "web", "REST", "/api/orders", "->", 0.0),
        at("WK", "db", "SQL", "orders", "->", 10.0),
        at("WK", "db", "SQL", "orders", "<-", duration_ms - 10.0),
        at("MA", "web", "REST", "/api/orders", "<-", duration_ms),
    ];
    entries.into_iter().flatten().collect()
}

fn json_of(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).unwrap_or_default()
}

fn read(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap_or_default()
}

/// An entry as it is sent: what may be left out is.
pub(super) fn new_entry() -> Value {
    let mut entry = Vec::new();
    if let Some(first) = entries(CHAIN, 50.0).first() {
        write_entry(&mut entry, &first.as_ref());
    }
    let mut entry = read(&entry);
    if let Some(fields) = entry.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    entry
}

pub(super) fn new_batch() -> Value {
    json!({ "traces": [new_entry()] })
}

pub(super) fn stored() -> Value {
    json_of(&IngestAnswer { accepted: 1, inserted: 1, duplicates: 0 })
}

pub(super) fn stored_single() -> Value {
    json_of(&IngestSingleAnswer { inserted: true })
}

pub(super) fn chain() -> Value {
    let mut writer = ChainWriter::new(CHAIN);
    entries(CHAIN, 50.0).iter().for_each(|entry| writer.push(&entry.as_ref()));
    read(&writer.finish())
}

fn calls_of(chain: &str, duration_ms: f64) -> CallsAnswer {
    CallsAnswer::new(chain, entries(chain, duration_ms).iter().map(TraceEntry::as_ref), true)
}

pub(super) fn calls() -> Value {
    json_of(&calls_of(CHAIN, 50.0))
}

pub(super) fn compared() -> Value {
    json_of(&CompareAnswer::new(&calls_of(CHAIN, 50.0), &calls_of(OTHER_CHAIN, 250.0)))
}

pub(super) fn recent() -> Value {
    let mut writer = RecentWriter::default();
    if let Some(last) = entries(CHAIN, 50.0).last() {
        writer.push(EntryId(4), &last.as_ref());
    }
    read(&writer.finish(EntryId(4)))
}

/// An event of a stream.
pub(super) fn event() -> Value {
    let mut entry = Vec::new();
    if let Some(last) = entries(CHAIN, 50.0).last() {
        write_entry(&mut entry, &last.as_ref());
    }
    json!({ "id": "4", "data": String::from_utf8_lossy(&entry) })
}

pub(super) fn correlations() -> Value {
    let summary = CorrelationSummary {
        correlation_id: CHAIN.to_owned(),
        trace_count: 4,
        first_ts: START,
        last_ts: START + 50.0,
        duration_ms: 50,
        sources: vec!["MA".to_owned(), "WK".to_owned()],
        complete: None,
    };
    json_of(&CorrelationsAnswer { correlations: vec![summary], count: 1, next_cursor: None })
}

pub(super) fn health() -> Value {
    let text = str::to_owned;
    let (status, service, db) = (text("healthy"), text("tracehub"), text("/var/lib/tracehub/tracehub.db"));
    json_of(&HealthAnswer { status, service, db, retention_hours: 24, reason: None })
}

/// Everything is well, but for the disk perhaps.
pub(super) fn checks(disk: Check) -> ReadyChecks {
    ReadyChecks { server: Check::Ok, writer: Check::Ok, queue: Check::Ok, disk, database: Check::Ok }
}

pub(super) fn ready() -> Value {
    json_of(&ReadyAnswer { status: "ready", checks: checks(Check::Ok) })
}

pub(super) fn stats() -> Value {
    json_of(&StatsAnswer {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: 1.762_819_058,
        stored: StoredStats {
            entries: 5_000,
            chains_at_most: 501,
            newest_id: EntryId(5_000),
            database_bytes: 114_688,
            wal_bytes: 1_133_840,
        },
        queue: QueueStats { entries: 0, bytes: 0 },
        streams: 0,
        since_start: IngestStats { inserted: 5_000, duplicates: 4_998, refused_requests: 2 },
    })
}

pub(super) fn cleaned_up() -> Value {
    json_of(&CleanupAnswer { deleted: 0 })
}

pub(super) fn login() -> Value {
    json!({ "secret": "correct-horse" })
}
