//! Helpers of the layer's tests: work under a layer, and its entries in short.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tracehub_client::{CheckpointLayer, CheckpointLogger, TestSink, TraceEntry};
use tracing_subscriber::prelude::*;

use crate::support::LONG;

/// Runs work under a layer with its defaults; gives what it has logged.
pub(super) fn traced(work: impl FnOnce()) -> TestSink {
    traced_by(|layer| layer, work)
}

/// Runs work under a layer with other settings.
pub(super) fn traced_by(set: impl FnOnce(CheckpointLayer) -> CheckpointLayer, work: impl FnOnce()) -> TestSink {
    let (client, sink) = TestSink::new();
    let layer = set(CheckpointLayer::new(CheckpointLogger::new(client, "MA")));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer.build()), work);
    sink
}

/// Does work that must not hang.
pub(super) fn ends<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(LONG).expect("the work hangs, or has panicked")
}

/// Entries as `-> OPERATION endpoint`.
pub(super) fn seen(entries: &[TraceEntry]) -> Vec<String> {
    entries.iter().map(|entry| format!("{} {} {}", entry.direction(), entry.operation(), entry.endpoint())).collect()
}

pub(super) fn data(entry: &TraceEntry) -> Value {
    entry.data().map_or(Value::Null, |json| serde_json::from_str(json).expect("data is JSON"))
}

pub(super) fn unix_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970").as_secs_f64() * 1e3
}

pub(super) fn panic_message(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("it must panic");
    panic.downcast_ref::<String>().expect("a message").clone()
}
