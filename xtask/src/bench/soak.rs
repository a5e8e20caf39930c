//! Phase `soak`: a steady load for minutes, and whether memory stays where it is. Only when asked for by name.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::load::{start_server, trickle};
use super::measure::{Sample, Watch, resident_mb};
use super::plan::Plan;
use super::report::Budget;

/// Entries a second.
const RATE: u32 = 20_000;

pub(super) fn run(plan: &mut Plan) -> Result<()> {
    let length = Duration::from_mins(if plan.quick { 1 } else { 10 });
    eprintln!("measuring: {RATE} entries a second for {} minutes", length.as_secs() / 60);
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let server = start_server(&folder.path().join("tracehub.db"), "full", &plan.interrupt)?;
    let watch = Watch::start(&server.id())?;
    let (start, stop) = (Instant::now(), AtomicBool::new(false));
    let (entries, resident) = std::thread::scope(|scope| -> Result<_> {
        let load = scope.spawn(|| trickle(server.address(), RATE, &stop));
        let mut resident = Vec::new();
        while start.elapsed() < length && plan.interrupt.check().is_ok() {
            std::thread::sleep(Duration::from_secs(1));
            resident.push(resident_mb(server.id())?);
        }
        stop.store(true, Ordering::Relaxed);
        Ok((load.join().map_err(|_| anyhow!("the load's thread panicked"))??, resident))
    })?;
    plan.interrupt.check()?;
    let (elapsed, cpu) = watch.stop()?;
    server.end()?;
    let most = |part: &[f64]| part.iter().copied().fold(0.0, f64::max);
    let (first, second) = resident.split_at(resident.len() / 2);
    plan.report.add("soak", Sample { resident_mb: most(&resident), ..Sample::of(entries, elapsed, cpu) });
    plan.report.judge("soak, memory at most, MB", most(&resident), Budget::AtMost(150.0));
    plan.report.judge(
        "soak, memory of the second half / of the first",
        most(second) / most(first),
        Budget::AtMost(1.1),
    );
    Ok(())
}
