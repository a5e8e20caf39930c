//! Phase `ingest`: the server over HTTP, by connections, batch size and durability.

use anyhow::{Context, Result};

use super::load::{self, Load, start_server};
use super::measure::{Sample, resident_mb};
use super::plan::Plan;
use super::report::Budget;

/// Connections and entries of a request.
const LOADS: [(usize, usize); 12] =
    [(1, 1), (8, 1), (64, 1), (1, 10), (8, 10), (64, 10), (1, 100), (8, 100), (64, 100), (1, 500), (8, 500), (64, 500)];

pub(super) fn run(plan: &mut Plan) -> Result<()> {
    idle(plan)?;
    let mut measured = Vec::new();
    for (connections, batch) in LOADS {
        let judged = matches!((connections, batch), (64 | 8, 10 | 500) | (64, 100));
        if plan.quick && !judged {
            continue;
        }
        let load = Load { connections, batch, entries: entries(plan.quick, connections, batch) };
        // Pairs of one load, one after the other, so that what the machine does beside them meets both.
        for durability in ["normal", "full"] {
            let name = format!("HTTP, {connections} × {batch}, {durability}");
            let sample = plan.measure(&name, |interrupt| load::measure(load, durability, interrupt))?;
            measured.push(((durability, connections, batch), sample));
        }
    }
    let of = |durability, connections, batch| {
        let found = measured.iter().find(|(key, _)| *key == (durability, connections, batch));
        found.map_or(Sample::default(), |(_, sample)| *sample)
    };
    if let Some(raw) = plan.raw_rate {
        for (connections, batch, budget) in [(64, 10, 0.75), (64, 100, 1.3), (8, 500, 1.2)] {
            let ratio = of("normal", connections, batch).rate / raw;
            plan.report.judge(
                format!("HTTP {connections} × {batch} / store, entries/s"),
                ratio,
                Budget::AtLeast(budget),
            );
        }
    }
    for (batch, budget) in [(10, 0.75), (500, 0.95)] {
        let ratio = of("full", 64, batch).rate / of("normal", 64, batch).rate;
        plan.report.judge(format!("full / normal, 64 × {batch}, entries/s"), ratio, Budget::AtLeast(budget));
    }
    plan.report.judge("answer p99, 8 × 10, normal, ms", of("normal", 8, 10).p99, Budget::AtMost(10.0));
    for (batch, budget) in [(10, 5.0), (500, 3.0)] {
        let cpu = of("normal", 64, batch).cpu;
        plan.report.judge(format!("server CPU s per million, 64 × {batch}"), cpu, Budget::AtMost(budget));
    }
    Ok(())
}

/// The memory of a server that nobody uses.
fn idle(plan: &mut Plan) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let server = start_server(&folder.path().join("tracehub.db"), "full", &plan.interrupt)?;
    plan.interrupt.wait(std::time::Duration::from_secs(1))?;
    let resident = resident_mb(server.id())?;
    server.end()?;
    plan.report.judge("memory of an idle server, MB", resident, Budget::AtMost(20.0));
    Ok(())
}

/// How many entries a load has: small requests are slow, and a median of three need not take minutes.
fn entries(quick: bool, connections: usize, batch: usize) -> usize {
    let entries = match batch {
        1 => 20_000 * connections.min(4),
        10 => 60_000 * connections.min(5),
        _ => 400_000,
    };
    if quick { entries / 2 } else { entries }
}
