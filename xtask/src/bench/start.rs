//! Phase `start`: how soon a server answers again after `kill -9` amid ingest, on a database of a gigabyte.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tracehub_core::store::sqlite::Durability;

use super::connection::{Connection, get_request};
use super::load::{self, Load, start_server};
use super::measure::percentile;
use super::plan::Plan;
use super::report::{Budget, Figure};
use super::store::{self, Feed};
use crate::process::Interrupt;

/// How often it is killed.
const ROUNDS: u64 = 7;
/// How long entries come in before that: the log that the next start must read is full then.
const INGEST: Duration = Duration::from_secs(2);

pub(super) fn run(plan: &mut Plan) -> Result<()> {
    let entries = if plan.quick { 1_000_000 } else { 6_000_000 };
    eprintln!("measuring: starts after kill -9, {entries} entries");
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let database = folder.path().join("tracehub.db");
    let feed = Feed { entries, group: 5_000, live: 200, durability: Durability::Normal, with_data: true };
    store::fill(&database, feed, super::data::now_seconds())?;
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        plan.interrupt.check()?;
        kill_amid_ingest(&database, round, &plan.interrupt)?;
        times.push(milliseconds_until_ready(&database, &plan.interrupt)?);
    }
    times.sort_by(f64::total_cmp);
    let size = database.metadata().context("the database is not there")?.len();
    let (median, most) = (percentile(&times, 0.5), percentile(&times, 1.0));
    let figure = |label, unit, value| Figure { label, unit, value };
    plan.report.figures(
        "ready after kill -9",
        vec![
            figure("database", "MiB", size as f64 / f64::from(1 << 20)),
            figure("median", "ms", median),
            figure("most", "ms", most),
        ],
    );
    plan.report.judge("ready again after kill -9, the slowest start, ms", most, Budget::AtMost(1_000.0));
    Ok(())
}

fn kill_amid_ingest(database: &Path, round: u64, interrupt: &Interrupt) -> Result<()> {
    let encoded = Load { connections: 64, batch: 100, entries: 800_000 }.encode(100 + round);
    let server = start_server(database, "full", interrupt)?;
    let address = server.address().to_owned();
    std::thread::scope(|scope| {
        let senders = scope.spawn(|| load::send(&address, &encoded, &AtomicBool::new(false)));
        std::thread::sleep(INGEST);
        server.kill()?;
        ensure!(!matches!(senders.join(), Ok(Ok(_))), "everything was sent before the kill: it was not amid ingest");
        Ok(())
    })
}

fn milliseconds_until_ready(database: &Path, interrupt: &Interrupt) -> Result<f64> {
    let began = Instant::now();
    let server = start_server(database, "full", interrupt)?;
    Connection::open(server.address())?.ask(&get_request("/readyz"))?;
    let took = began.elapsed().as_secs_f64() * 1000.0;
    server.end()?;
    Ok(took)
}
