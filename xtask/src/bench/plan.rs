//! What is measured, in which order, against which budget.

use anyhow::Result;
use tracehub_core::store::sqlite::Durability;

use super::Options;
use super::http::{self, Load};
use super::measure::{Sample, median};
use super::report::{Budget, Report};
use super::store::{self, Feed};
use crate::process::Interrupt;

/// The measurement that others are ratios of.
const RAW: Feed = Feed { entries: 0, group: 500, live: 200, durability: Durability::Normal, with_data: true };

/// Connections and entries of a request.
const LOADS: [(usize, usize); 12] =
    [(1, 1), (8, 1), (64, 1), (1, 10), (8, 10), (64, 10), (1, 100), (8, 100), (64, 100), (1, 500), (8, 500), (64, 500)];

pub(super) fn run(options: &Options) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let mut report = Report::default();
    let raw = stores(options, &interrupt, &mut report)?;
    ingest(options, &interrupt, &mut report, raw)?;
    if options.json {
        println!("{:#}", report.json());
    } else {
        report.print();
    }
    Ok(())
}

/// Runs a measurement some times; gives the median.
fn repeat(options: &Options, interrupt: &Interrupt, name: &str, run: impl Fn() -> Result<Sample>) -> Result<Sample> {
    let runs = if options.quick { 1 } else { 3 };
    eprintln!("measuring: {name}");
    let samples = (0..runs).map(|_| {
        interrupt.check()?;
        run()
    });
    Ok(median(samples.collect::<Result<_>>()?))
}

/// The stores alone. Gives the raw rate of ours.
fn stores(options: &Options, interrupt: &Interrupt, report: &mut Report) -> Result<f64> {
    let raw = Feed { entries: if options.quick { 200_000 } else { 500_000 }, ..RAW };
    let mut measure = |name: &str, run: &dyn Fn() -> Result<Sample>| -> Result<Sample> {
        let sample = repeat(options, interrupt, name, run)?;
        report.add(name, sample);
        Ok(sample)
    };
    let ours = measure("store, 500 a transaction", &|| store::ours(raw))?;
    let original = measure("the original's schema, 500 a transaction", &|| store::original_schema(raw))?;
    measure("store, 5000 a transaction", &|| store::ours(Feed { group: 5000, ..raw }))?;
    measure("store, 500 a transaction, full", &|| store::ours(Feed { durability: Durability::Full, ..raw }))?;
    let wide = measure("store, 20,000 chains alive", &|| store::ours(Feed { live: 20_000, ..raw }))?;
    let bare = measure("store, no data", &|| store::ours(Feed { with_data: false, ..raw }))?;
    report.judge("store / the original's schema, entries/s", ours.rate / original.rate, Budget::AtLeast(8.0));
    report.judge("20,000 / 200 chains alive, entries/s", wide.rate / ours.rate, Budget::AtLeast(0.25));
    report.judge("bytes per entry, no data", bare.bytes, Budget::AtMost(75.0));
    report.judge("bytes per entry, data of 80 bytes", ours.bytes, Budget::AtMost(150.0));
    Ok(ours.rate)
}

/// The server over HTTP.
fn ingest(options: &Options, interrupt: &Interrupt, report: &mut Report, raw: f64) -> Result<()> {
    let mut measured = Vec::new();
    for durability in ["normal", "full"] {
        for (connections, batch) in LOADS {
            let judged = matches!((connections, batch), (64 | 8, 10 | 500) | (64, 100));
            if options.quick && !judged {
                continue;
            }
            let load = Load { connections, batch, entries: entries(options, connections, batch), durability };
            let name = format!("HTTP, {connections} × {batch}, {durability}");
            let sample = repeat(options, interrupt, &name, || http::ingest(load, interrupt))?;
            report.add(name, sample);
            measured.push(((durability, connections, batch), sample));
        }
    }
    let of = |durability, connections, batch| {
        let found = measured.iter().find(|(key, _)| *key == (durability, connections, batch));
        found.map(|(_, sample)| *sample).unwrap_or_default()
    };
    for (connections, batch, budget) in [(64, 10, 0.75), (64, 100, 1.3), (8, 500, 1.2)] {
        let ratio = of("normal", connections, batch).rate / raw;
        report.judge(format!("HTTP {connections} × {batch} / store, entries/s"), ratio, Budget::AtLeast(budget));
    }
    for (batch, budget) in [(10, 0.75), (500, 0.95)] {
        let ratio = of("full", 64, batch).rate / of("normal", 64, batch).rate;
        report.judge(format!("full / normal, 64 × {batch}, entries/s"), ratio, Budget::AtLeast(budget));
    }
    report.judge("answer p99, 8 × 10, normal, ms", of("normal", 8, 10).p99, Budget::AtMost(10.0));
    for (batch, budget) in [(10, 5.0), (500, 3.0)] {
        let cpu = of("normal", 64, batch).cpu;
        report.judge(format!("server CPU s per million, 64 × {batch}"), cpu, Budget::AtMost(budget));
    }
    Ok(())
}

/// How many entries a load has: small requests are slow, and a median of three need not take minutes.
fn entries(options: &Options, connections: usize, batch: usize) -> usize {
    let entries = match batch {
        1 => 20_000 * connections.min(4),
        10 => 60_000 * connections.min(5),
        _ => 400_000,
    };
    if options.quick { entries / 2 } else { entries }
}
