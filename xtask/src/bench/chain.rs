//! Phase `chain`: what a chain of 100,000 entries means, found in this process: pairing, nesting, clocks, critical path,
//! gaps, totals and the JSON of `GET /traces/{id}/calls`.

use anyhow::Result;
use tracehub_core::EntryRef;
use tracehub_core::wire::calls::CallsAnswer;

use super::measure::{Sample, Watch};
use super::plan::Plan;
use super::report::Budget;

const ENTRIES: usize = 100_000;
const CORRELATION_ID: &str = "a-large-chain";

/// An entry's suffix, timestamp and direction.
type Checkpoint = (String, f64, &'static str);

/// Makes a chain of one shape.
type Shape = fn() -> Vec<Checkpoint>;

pub(super) fn run(plan: &mut Plan) -> Result<()> {
    let shapes: [(&str, Shape); 4] = [
        ("one call inside the other", nested),
        ("one call after the other", consecutive),
        ("1,000 calls at a time", overlapping),
        ("nothing ever left", unfinished),
    ];
    for (name, shape) in shapes {
        let checkpoints = shape();
        let sample = plan.measure(&format!("analysis, {name}"), |_| analyse(&checkpoints))?;
        plan.report.judge(format!("analysis of 100,000 entries, {name}, ms"), sample.p50, Budget::AtMost(200.0));
    }
    Ok(())
}

fn analyse(checkpoints: &[Checkpoint]) -> Result<Sample> {
    const SOURCES: [&str; 4] = ["MA", "WA", "DB", "CACHE"];
    const HOSTS: [&str; 4] = ["web-1", "web-2", "db-1", "cache-1"];
    const ENDPOINTS: [&str; 4] = ["/api/orders", "/api/stock", "SELECT orders", "GET order"];
    let entries = checkpoints.iter().map(|(suffix, timestamp, direction)| {
        // A call's two ends have its suffix, so they have its place too.
        let place = suffix.bytes().map(usize::from).sum::<usize>() % SOURCES.len();
        EntryRef {
            source_id: SOURCES[place],
            correlation_id: CORRELATION_ID,
            timestamp: *timestamp,
            suffix,
            direction,
            operation: "REST",
            endpoint: ENDPOINTS[place],
            data: None,
            hostname: HOSTS[place],
            raw_line: None,
        }
    });
    let watch = Watch::start(&"self")?;
    let answer = CallsAnswer::new(CORRELATION_ID, entries, true);
    serde_json::to_writer(std::io::sink(), &answer)?;
    let (elapsed, cpu) = watch.stop()?;
    Ok(Sample { p50: elapsed * 1e3, ..Sample::of(checkpoints.len(), elapsed, cpu) })
}

fn nested() -> Vec<Checkpoint> {
    let calls = ENTRIES / 2;
    let enters = (0..calls).map(|call| (call.to_string(), call as f64, "->"));
    enters.chain((0..calls).rev().map(|call| (call.to_string(), (2 * calls - call) as f64, "<-"))).collect()
}

fn consecutive() -> Vec<Checkpoint> {
    let both =
        |call: usize| [(call.to_string(), 2.0 * call as f64, "->"), (call.to_string(), 2.0 * call as f64 + 1.0, "<-")];
    (0..ENTRIES / 2).flat_map(both).collect()
}

fn overlapping() -> Vec<Checkpoint> {
    let both = |call: usize| [(call.to_string(), call as f64, "->"), (call.to_string(), call as f64 + 1_000.5, "<-")];
    let mut checkpoints: Vec<_> = (0..ENTRIES / 2).flat_map(both).collect();
    checkpoints.sort_by(|a, b| a.1.total_cmp(&b.1));
    checkpoints
}

fn unfinished() -> Vec<Checkpoint> {
    (0..ENTRIES).map(|call| (call.to_string(), call as f64, "->")).collect()
}
