//! Phase `retention`: what ingest feels while a million expired entries are deleted.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow};
use tracehub_core::store::sqlite::Durability;

use super::connection::Connection;
use super::data::now_seconds;
use super::load::{Load, send, start_server};
use super::measure::{Sample, Watch, percentile};
use super::plan::Plan;
use super::report::Budget;
use super::store::{self, Feed};

/// Older than the default retention of a day.
const EXPIRED_SECONDS: i64 = 48 * 3600;

pub(super) fn run(plan: &mut Plan) -> Result<()> {
    let expired = if plan.quick { 200_000 } else { 1_000_000 };
    let without = measure(plan, expired, 0)?;
    let during = measure(plan, expired, EXPIRED_SECONDS)?;
    plan.report.add(format!("HTTP, 8 × 10, normal, beside {expired} entries"), without);
    plan.report.add(format!("HTTP, 8 × 10, normal, deleting {expired} entries"), during);
    plan.report.judge("ingest p99, deleting / not deleting", during.p99 / without.p99, Budget::AtMost(2.0));
    Ok(())
}

/// Ingest beside entries of some age, for as long as a clean-up takes, or a few seconds when there is none.
fn measure(plan: &Plan, entries: usize, age_seconds: i64) -> Result<Sample> {
    eprintln!("measuring: ingest beside {entries} entries that are {} h old", age_seconds / 3600);
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let database = folder.path().join("tracehub.db");
    let feed = Feed { entries, group: 5_000, live: 200, durability: Durability::Normal, with_data: true };
    store::fill(&database, feed, now_seconds() - age_seconds)?;
    let load = Load { connections: 8, batch: 10, entries: if plan.quick { 200_000 } else { 800_000 } };
    let encoded = load.encode(7);
    plan.interrupt.check()?;
    // It begins to delete as soon as it runs.
    let server = start_server(&database, "normal", &plan.interrupt)?;
    let watch = Watch::start(&server.id())?;
    let stop = AtomicBool::new(false);
    let times = std::thread::scope(|scope| {
        let clean_up = scope.spawn(|| -> Result<()> {
            if age_seconds > 0 {
                Connection::open(server.address())?.ask(b"DELETE /cleanup HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")?;
                stop.store(true, Ordering::Relaxed);
            }
            Ok(())
        });
        let times = send(server.address(), &encoded, &stop);
        clean_up.join().map_err(|_| anyhow!("the clean-up's thread panicked"))??;
        times
    })?;
    let (elapsed, cpu) = watch.stop()?;
    server.end()?;
    Ok(Sample {
        p50: percentile(&times, 0.5),
        p99: percentile(&times, 0.99),
        ..Sample::of(times.len() * load.batch, elapsed, cpu)
    })
}
