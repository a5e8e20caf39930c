//! A server in memory, for the tests of programs that log checkpoints.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tracehub_core::chain::{CallStatus, Chain};
use tracehub_core::wire::ingest::IngestBatch;
use tracehub_core::{Direction, EntryRef, TraceEntry};

use crate::builder::TraceHubClientBuilder;
use crate::client::{FlushOutcome, TraceHubClient};
use crate::transport::{Outcome, Transport};

/// How long a flush may take. Nothing leaves the process, so it takes far less; retries after
/// [`TestSink::refuse_next`] are what needs time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps what a client sends, without a server and without a network, for your own tests.
///
/// The client is a real one: its queue, worker, batches, retries and redaction are those that run in production. Only
/// the last step, the request, ends here. Clones share what they keep.
///
/// Nothing of this is in a program that does not call it, so it needs no cargo feature.
///
/// ```
/// use serde_json::json;
/// use tracehub_client::{CheckpointLogger, TestSink};
///
/// fn order(logger: &CheckpointLogger) {
///     let scope = logger.scope("c1", "DB", "orders.insert");
///     scope.leave(&json!({"password": "hunter2", "rows": 1}));
/// }
///
/// let (client, sink) = TestSink::new();
/// order(&CheckpointLogger::new(client, "MA"));
///
/// let entries = sink.entries();
/// assert_eq!(entries.len(), 2);
/// assert_eq!(entries[1].endpoint(), "orders.insert");
/// assert_eq!(entries[1].data(), Some(r#"{"password":"[redacted]","rows":1}"#));
/// sink.assert_balanced();
/// ```
#[derive(Debug, Clone)]
pub struct TestSink {
    client: TraceHubClient,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: Vec<TraceEntry>,
    /// How many requests are still to be refused.
    to_refuse: u64,
}

impl TestSink {
    /// A client with the default settings, and the sink that takes its entries.
    ///
    /// # Panics
    /// If the worker thread cannot be started.
    #[must_use]
    #[track_caller]
    pub fn new() -> (TraceHubClient, Self) {
        Self::with(|builder| builder)
    }

    /// The same with settings of your own. The URL, the secret and the timeout mean nothing here.
    ///
    /// ```
    /// use tracehub_client::TestSink;
    ///
    /// let (client, sink) = TestSink::with(|builder| builder.batch_size(1).redact(["card_number"]));
    /// assert!(client.is_enabled() && sink.entries().is_empty());
    /// ```
    ///
    /// # Panics
    /// If a setting is outside its range, or the worker thread cannot be started.
    #[must_use]
    #[track_caller]
    pub fn with(set: impl FnOnce(TraceHubClientBuilder) -> TraceHubClientBuilder) -> (TraceHubClient, Self) {
        const URL: &str = "http://test-sink.invalid";
        let kept = Arc::new(Mutex::new(Kept::default()));
        let wire = Wire(Arc::clone(&kept));
        // Set once more: an empty one would disable the client.
        let builder = set(TraceHubClientBuilder::new(URL)).url(URL);
        match builder.build_on(|_| Ok(wire)) {
            Ok(client) => (client.clone(), Self { client, kept }),
            Err(err) => panic!("the test sink cannot start: {err}"),
        }
    }

    /// Everything that was sent so far, in the order of the timestamps, as a server lists it. Flushes first, so that
    /// what was logged before this call is there.
    ///
    /// # Panics
    /// If the client cannot deliver within 30 s.
    #[must_use]
    #[track_caller]
    pub fn entries(&self) -> Vec<TraceEntry> {
        self.flush();
        let mut entries = self.kept().entries.clone();
        entries.sort_by(|a, b| a.timestamp().total_cmp(&b.timestamp()));
        entries
    }

    /// The entries of one chain; otherwise like [`entries`](Self::entries).
    ///
    /// # Panics
    /// If the client cannot deliver within 30 s.
    #[must_use]
    #[track_caller]
    pub fn chain(&self, correlation_id: &str) -> Vec<TraceEntry> {
        let mut entries = self.entries();
        entries.retain(|entry| entry.correlation_id() == correlation_id);
        entries
    }

    /// Forgets what was sent so far, and what was logged and still waits.
    ///
    /// # Panics
    /// If the client cannot deliver within 30 s.
    #[track_caller]
    pub fn clear(&self) {
        self.flush();
        self.kept().entries.clear();
    }

    /// Answers the next requests with `503`, as an overloaded server does, and keeps nothing of them. The client sends
    /// them again after a while, or drops their entries when its
    /// [retries](TraceHubClientBuilder::retry_count) are used up.
    ///
    /// ```
    /// use tracehub_client::{CheckpointLogger, TestSink};
    ///
    /// let (client, sink) = TestSink::with(|builder| builder.retry_count(0));
    /// sink.refuse_next(1);
    /// CheckpointLogger::new(client.clone(), "MA").checkpoint_entry("c1", "REST", "/", &());
    /// assert!(sink.chain("c1").is_empty());
    /// assert_eq!(client.stats().dropped.undelivered, 1);
    /// ```
    pub fn refuse_next(&self, requests: u64) {
        self.kept().to_refuse = requests;
    }

    /// Asserts that every call was entered and left, in every chain.
    ///
    /// ```should_panic
    /// use tracehub_client::{CheckpointLogger, TestSink};
    ///
    /// let (client, sink) = TestSink::new();
    /// CheckpointLogger::new(client, "MA").checkpoint_entry("c1", "REST", "/api/orders", &());
    /// sink.assert_balanced(); // chain "c1": MA REST /api/orders was entered and never left
    /// ```
    ///
    /// # Panics
    /// If a call was not left, or left without having been entered; the message names each. Also if the client cannot
    /// deliver within 30 s.
    #[track_caller]
    pub fn assert_balanced(&self) {
        let entries = self.entries();
        let faults = faults(&entries);
        assert!(faults.is_empty(), "these calls are not balanced:{faults}");
    }

    #[track_caller]
    fn flush(&self) {
        if let FlushOutcome::DeadlinePassed { pending } = self.client.flush(PATIENCE) {
            panic!("the client still holds {pending} entries: {:?}", self.client.stats());
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line for each call that has one end only, in time order; empty if there is none.
fn faults(entries: &[TraceEntry]) -> String {
    let mut chains: Vec<(&str, Vec<EntryRef<'_>>)> = Vec::new();
    for entry in entries.iter().map(TraceEntry::as_ref) {
        match chains.iter_mut().find(|(id, _)| *id == entry.correlation_id) {
            Some((_, chain)) => chain.push(entry),
            None => chains.push((entry.correlation_id, vec![entry])),
        }
    }
    let mut lines = String::new();
    for (id, entries) in chains {
        let chain = Chain::new(entries);
        for (place, call) in chain.calls.iter().enumerate() {
            let fault = match call.status() {
                CallStatus::Finished => continue,
                CallStatus::Unfinished => "was entered and never left",
                CallStatus::Orphan => "was left and never entered",
            };
            let EntryRef { source_id, operation, endpoint, .. } = chain.described_by(place);
            // Writing into text does not fail.
            let _ = write!(lines, "\n  chain {id:?}: {source_id} {operation} {endpoint} {fault}");
        }
    }
    lines
}

/// Where the client's requests end.
#[derive(Debug)]
struct Wire(Arc<Mutex<Kept>>);

impl Transport for Wire {
    async fn post(&self, body: Bytes) -> Outcome {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.to_refuse > 0 {
            kept.to_refuse -= 1;
            return refused(503, "the test asked for it".to_owned());
        }
        match entries_of(body) {
            Ok(entries) => {
                let accepted = entries.len() as u64;
                kept.entries.extend(entries);
                Outcome::Acknowledged { accepted }
            }
            // What a server would find invalid, it is here, too.
            Err(problem) => refused(422, problem),
        }
    }
}

fn refused(status: u16, message: String) -> Outcome {
    Outcome::Refused { status, retry_after: None, message }
}

fn entries_of(body: Bytes) -> Result<Vec<TraceEntry>, String> {
    let batch = IngestBatch::parse(body.into()).map_err(|err| err.to_string())?;
    batch.entries().map(|entry| owned(&entry).map_err(|err| err.to_string())).collect()
}

fn owned(entry: &EntryRef<'_>) -> Result<TraceEntry, tracehub_core::InvalidEntry> {
    let mut builder = TraceEntry::builder(entry.source_id, entry.correlation_id)
        .timestamp(entry.timestamp)
        .suffix(entry.suffix)
        .direction(Direction::from(entry.direction))
        .operation(entry.operation)
        .endpoint(entry.endpoint)
        .hostname(entry.hostname);
    if let Some(json) = entry.data {
        builder = builder.data_json(json);
    }
    if let Some(line) = entry.raw_line {
        builder = builder.raw_line(line);
    }
    builder.build()
}
