//! What queries answer: chains, lists of chains, the server's health; and an entry's JSON, written straight from a row.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::entry::{EntryRef, TraceEntry};
use crate::store::EntryId;

/// The answer to `GET /traces/{correlation_id}`, as a client reads it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChainAnswer {
    /// The chain that was asked for.
    pub correlation_id: String,
    /// Its entries, ordered by timestamp, ties by arrival.
    pub traces: Vec<TraceEntry>,
    /// How many entries there are.
    pub count: u64,
    /// Whether there is an enter and there are as many leaves as enters.
    pub complete: bool,
}

/// The answer to `GET /correlations`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CorrelationsAnswer {
    /// The chains, the most recently active first.
    pub correlations: Vec<CorrelationSummary>,
    /// How many chains are listed.
    pub count: u64,
    /// Where the next page begins; said to those who ask with a filter or a cursor, while there is more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_cursor: Option<EntryId>,
}

/// One chain in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CorrelationSummary {
    /// The chain's id.
    pub correlation_id: String,
    /// Its entries.
    pub trace_count: u64,
    /// The earliest timestamp, Unix ms.
    pub first_ts: f64,
    /// The latest timestamp, Unix ms.
    pub last_ts: f64,
    /// From the earliest to the latest timestamp, in whole ms.
    pub duration_ms: i64,
    /// Who logged it, sorted.
    pub sources: Vec<String>,
    /// Whether there is an enter and there are as many leaves as enters. Said on request (`include=complete`) only,
    /// and never by the original.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub complete: Option<bool>,
}

/// The answer to `GET /recent`, as a client reads it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecentAnswer {
    /// The entries, in the order of their commits.
    pub traces: Vec<RecentEntry>,
    /// How many entries there are.
    pub count: u64,
    /// The last entry that was looked at: `since_id` of the next question.
    pub last_id: EntryId,
}

/// An entry with its place in the order of commits.
#[derive(Debug, Clone, PartialEq)]
pub struct RecentEntry {
    /// Its place.
    pub id: EntryId,
    /// The entry.
    pub entry: TraceEntry,
}

impl<'de> Deserialize<'de> for RecentEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Numbered {
            id: EntryId,
        }
        // The entry keeps its `data` as text, which a flattened field cannot. So its object is read twice.
        let object = Box::<RawValue>::deserialize(deserializer)?;
        let Numbered { id } = serde_json::from_str(object.get()).map_err(D::Error::custom)?;
        let entry = serde_json::from_str(object.get()).map_err(D::Error::custom)?;
        Ok(Self { id, entry })
    }
}

/// The answer to `GET /health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HealthAnswer {
    /// `healthy`, or `degraded` while entries are refused.
    pub status: String,
    /// `tracehub`.
    pub service: String,
    /// The database file.
    pub db: String,
    /// How long entries are kept, in hours.
    pub retention_hours: u64,
    /// Why entries are refused, such as `storage_full`; said while they are. The original has no such key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// The answer to `DELETE /cleanup`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CleanupAnswer {
    /// Entries deleted because they were older than the retention.
    pub deleted: u64,
}

/// Whether a chain is complete: at least one enter, and as many leaves as enters. The original's rule.
#[must_use]
pub fn is_complete(enters: u64, leaves: u64) -> bool {
    enters > 0 && enters == leaves
}

/// Appends an entry's JSON object to `out`: the original's keys, in its order, without white space.
pub fn write_entry(out: &mut Vec<u8>, entry: &EntryRef<'_>) {
    write_text_field(out, b"{\"source_id\":", entry.source_id);
    write_text_field(out, b",\"correlation_id\":", entry.correlation_id);
    out.extend_from_slice(b",\"timestamp\":");
    write_json(out, &entry.timestamp);
    write_text_field(out, b",\"suffix\":", entry.suffix);
    write_text_field(out, b",\"direction\":", entry.direction);
    write_text_field(out, b",\"operation\":", entry.operation);
    write_text_field(out, b",\"endpoint\":", entry.endpoint);
    out.extend_from_slice(b",\"data\":");
    out.extend_from_slice(entry.data.unwrap_or("null").as_bytes());
    write_text_field(out, b",\"hostname\":", entry.hostname);
    out.extend_from_slice(b",\"raw_line\":");
    write_json(out, &entry.raw_line);
    out.push(b'}');
}

/// Writes `/traces/{correlation_id}`'s body entry by entry, counting on the way.
#[derive(Debug)]
pub struct ChainWriter {
    out: Vec<u8>,
    count: u64,
    enters: u64,
    leaves: u64,
}

impl ChainWriter {
    /// Starts the body for a chain.
    #[must_use]
    pub fn new(correlation_id: &str) -> Self {
        let mut out = Vec::with_capacity(4096);
        write_text_field(&mut out, b"{\"correlation_id\":", correlation_id);
        out.extend_from_slice(b",\"traces\":[");
        Self { out, count: 0, enters: 0, leaves: 0 }
    }

    /// Adds the next entry.
    pub fn push(&mut self, entry: &EntryRef<'_>) {
        if self.count > 0 {
            self.out.push(b',');
        }
        write_entry(&mut self.out, entry);
        self.count += 1;
        self.enters += u64::from(entry.is_enter());
        self.leaves += u64::from(entry.is_leave());
    }

    /// Gives what was written since the last time, so that a large body need not be whole in memory.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Ends the body and gives it, or the rest of it.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        self.out.extend_from_slice(b"],\"count\":");
        write_json(&mut self.out, &self.count);
        self.out.extend_from_slice(b",\"complete\":");
        write_json(&mut self.out, &is_complete(self.enters, self.leaves));
        self.out.push(b'}');
        self.take()
    }
}

/// Writes `/recent`'s body entry by entry.
#[derive(Debug)]
pub struct RecentWriter {
    out: Vec<u8>,
    count: u64,
}

impl Default for RecentWriter {
    fn default() -> Self {
        Self { out: b"{\"traces\":[".to_vec(), count: 0 }
    }
}

impl RecentWriter {
    /// Adds the next entry, with its id.
    pub fn push(&mut self, id: EntryId, entry: &EntryRef<'_>) {
        if self.count > 0 {
            self.out.push(b',');
        }
        self.count += 1;
        self.out.extend_from_slice(b"{\"id\":");
        write_json(&mut self.out, &id);
        let object = self.out.len();
        write_entry(&mut self.out, entry);
        // The entry's object goes on where this one was begun.
        if let Some(brace) = self.out.get_mut(object) {
            *brace = b',';
        }
    }

    /// How many entries there are so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many bytes there are so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.out.len()
    }

    /// Ends the body and gives it. `last` is the last entry that was looked at, where the next question goes on.
    #[must_use]
    pub fn finish(mut self, last: EntryId) -> Vec<u8> {
        self.out.extend_from_slice(b"],\"count\":");
        write_json(&mut self.out, &self.count);
        self.out.extend_from_slice(b",\"last_id\":");
        write_json(&mut self.out, &last);
        self.out.push(b'}');
        self.out
    }
}

fn write_text_field(out: &mut Vec<u8>, key: &[u8], value: &str) {
    out.extend_from_slice(key);
    write_json(out, value);
}

fn write_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Writing strings, numbers and options of them into memory has no way to fail.
    let _ = serde_json::to_writer(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_the_bytes_of_the_original() {
        let entry = TraceEntry::builder("MA", "c\"1")
            .timestamp(1_706_803_200_123.0)
            .suffix("x7K")
            .operation("REST")
            .endpoint("/api/agents")
            .data_json(r#"{"binding_id":"123"}"#)
            .build()
            .unwrap();
        let mut out = Vec::new();
        write_entry(&mut out, &entry.as_ref());
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"source_id":"MA","correlation_id":"c\"1","timestamp":1706803200123.0,"suffix":"x7K","direction":"->","operation":"REST","endpoint":"/api/agents","data":{"binding_id":"123"},"hostname":"unknown","raw_line":null}"#
        );
    }

    #[test]
    fn recent_entries_are_read_back_with_their_ids_and_their_data_as_text() {
        let entry = TraceEntry::builder("MA", "c1").data_json(r#"{"n":1.50}"#).build().unwrap();
        let mut writer = RecentWriter::default();
        writer.push(EntryId(7), &entry.as_ref());
        let answer: RecentAnswer = serde_json::from_slice(&writer.finish(EntryId(9))).unwrap();
        assert_eq!((answer.count, answer.last_id), (1, EntryId(9)));
        assert_eq!(answer.traces, [RecentEntry { id: EntryId(7), entry }]);
        assert_eq!(answer.traces[0].entry.data(), Some(r#"{"n":1.50}"#));
    }

    #[test]
    fn a_chain_is_complete_when_each_enter_has_its_leave() {
        let body = |directions: &[&str]| {
            let mut writer = ChainWriter::new("c1");
            for direction in directions {
                let entry = TraceEntry::builder("MA", "c1").direction((*direction).into()).build().unwrap();
                writer.push(&entry.as_ref());
            }
            serde_json::from_slice::<ChainAnswer>(&writer.finish()).unwrap()
        };
        assert!(!body(&[]).complete);
        assert!(!body(&["->"]).complete);
        assert!(!body(&["<-"]).complete);
        assert!(!body(&["->", "<-", "<-"]).complete);
        let whole = body(&["->", "!", "<-"]);
        assert!(whole.complete && whole.count == 3);
    }
}
