//! What is measured, in which order.

use anyhow::Result;
use clap::ValueEnum as _;

use super::measure::{Sample, median};
use super::report::Report;
use super::{
    Options, Phase, chain, client, ingest, live, original, overload, reads, retention, soak, start, store, stuck,
};
use crate::process::Interrupt;

/// A run of the benchmark: how to measure, and what came out so far.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) quick: bool,
    pub(super) interrupt: Interrupt,
    pub(super) report: Report,
    /// What our store takes alone, 500 entries a transaction; none if that was not measured in this run.
    pub(super) raw_rate: Option<f64>,
}

impl Plan {
    /// Runs a measurement some times; reports and gives the median.
    pub(super) fn measure(&mut self, name: &str, run: impl Fn(&Interrupt) -> Result<Sample>) -> Result<Sample> {
        let runs = if self.quick { 1 } else { 3 };
        eprintln!("measuring: {name}");
        let samples = (0..runs).map(|_| {
            self.interrupt.check()?;
            run(&self.interrupt)
        });
        let sample = median(samples.collect::<Result<_>>()?);
        self.report.add(name, sample);
        Ok(sample)
    }
}

pub(super) fn run(options: &Options) -> Result<()> {
    let mut plan =
        Plan { quick: options.quick, interrupt: Interrupt::listen()?, report: Report::default(), raw_rate: None };
    let named: Vec<Phase> = options.named().collect();
    for &phase in Phase::value_variants() {
        let wanted = if named.is_empty() { phase != Phase::Soak } else { named.contains(&phase) };
        if !wanted {
            continue;
        }
        match phase {
            Phase::Store => store::run(&mut plan)?,
            Phase::Ingest => ingest::run(&mut plan)?,
            Phase::Reads => reads::run(&mut plan)?,
            Phase::Retention => retention::run(&mut plan)?,
            Phase::Live => live::run(&mut plan)?,
            Phase::Chain => chain::run(&mut plan)?,
            Phase::Client => client::run(&mut plan)?,
            Phase::Stuck => stuck::run(&mut plan)?,
            Phase::Overload => overload::run(&mut plan)?,
            Phase::Start => start::run(&mut plan)?,
            Phase::Original => original::run(&mut plan)?,
            Phase::Soak => soak::run(&mut plan)?,
        }
    }
    if options.json {
        println!("{:#}", plan.report.json());
    } else {
        plan.report.print();
    }
    Ok(())
}
