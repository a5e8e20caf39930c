//! Phase `reads`: how long questions take in databases of several sizes, while entries come in.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow};
use tracehub_core::store::sqlite::Durability;

use super::connection::{Connection, get_request};
use super::load::{start_server, trickle};
use super::measure::{Sample, percentile};
use super::plan::Plan;
use super::report::Budget;
use super::store::{self, Feed};

/// Entries a second that come in meanwhile.
const INGEST_RATE: u32 = 20_000;
/// Questions of each kind.
const QUESTIONS: usize = 3_000;
const QUICK_QUESTIONS: usize = 500;
/// What is asked, and the most ms that 99 of 100 answers may take.
const PATHS: [(&str, f64); 7] = [
    ("/correlations?limit=50", 5.0),
    ("/traces/{id}", 5.0),
    ("/traces/{id}/calls", 10.0),
    ("/correlations?status=incomplete", 10.0),
    ("/correlations?source=WK&endpoint=/api/agents/7", 10.0),
    ("/correlations?q={id}", 10.0),
    ("/correlations?source=nobody", 10.0),
];

pub(super) fn run(plan: &mut Plan) -> Result<()> {
    let sizes: &[usize] = if plan.quick { &[100_000, 500_000] } else { &[100_000, 1_000_000, 5_000_000] };
    let mut measured = Vec::new();
    for &entries in sizes {
        measured.push(measure(plan, entries)?);
    }
    let (Some(smallest), Some(largest)) = (measured.first(), measured.last()) else { return Ok(()) };
    for (place, (what, most_ms)) in PATHS.iter().enumerate() {
        let most = sizes.last().copied().unwrap_or_default();
        plan.report.judge(format!("{what}, p99 at {most} entries, ms"), largest[place].p99, Budget::AtMost(*most_ms));
        let growth = largest[place].p50 / smallest[place].p50;
        plan.report.judge(format!("{what}, p50 at {most} / at {} entries", sizes[0]), growth, Budget::AtMost(2.0));
    }
    Ok(())
}

fn measure(plan: &mut Plan, entries: usize) -> Result<Vec<Sample>> {
    eprintln!("measuring: reads at {entries} entries");
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let database = folder.path().join("tracehub.db");
    let feed = Feed { entries, group: 5_000, live: 200, durability: Durability::Normal, with_data: true };
    let ids = store::fill(&database, feed, super::data::now_seconds())?;
    plan.interrupt.check()?;
    let server = start_server(&database, "normal", &plan.interrupt)?;
    let count = if plan.quick { QUICK_QUESTIONS } else { QUESTIONS };
    let stop = AtomicBool::new(false);
    let samples = std::thread::scope(|scope| {
        let ingest = scope.spawn(|| trickle(server.address(), INGEST_RATE, &stop));
        let samples: Result<Vec<_>> = PATHS
            .iter()
            .map(|(path, _)| {
                questions(server.address(), count, |number| path.replace("{id}", &ids[number % ids.len()]))
            })
            .collect();
        stop.store(true, Ordering::Relaxed);
        ingest.join().map_err(|_| anyhow!("the ingest thread panicked"))??;
        samples
    })?;
    server.end()?;
    for ((path, _), sample) in PATHS.iter().zip(&samples) {
        plan.report.add(format!("{path}, {entries} entries"), *sample);
    }
    Ok(samples)
}

/// Asks questions one after the other.
fn questions(address: &str, count: usize, path: impl Fn(usize) -> String) -> Result<Sample> {
    let mut connection = Connection::open(address)?;
    let mut times = Vec::with_capacity(count);
    for number in 0..count {
        times.push(connection.ask(&get_request(&path(number)))?);
    }
    times.sort_by(f64::total_cmp);
    Ok(Sample { p50: percentile(&times, 0.5), p99: percentile(&times, 0.99), ..Sample::default() })
}
