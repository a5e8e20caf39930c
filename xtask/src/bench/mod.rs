//! `cargo xtask bench`: what the store and the ingest path take, as ratios measured in one run.
//!
//! `plan` decides what is measured in which order; `data` makes the entries, `store` feeds stores in this process,
//! `http` drives a server, `measure` reads CPU time and memory, `report` prints.

#[cfg(feature = "bench")]
mod data;
#[cfg(feature = "bench")]
mod http;
#[cfg(feature = "bench")]
mod measure;
#[cfg(feature = "bench")]
mod plan;
#[cfg(feature = "bench")]
mod report;
#[cfg(feature = "bench")]
mod store;

use anyhow::Result;
use clap::Args;

/// How to measure.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Fewer entries and single runs instead of medians: about a minute
    #[arg(long)]
    quick: bool,

    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Measures in release mode: a debug build starts itself again as one.
pub(crate) fn run(options: &Options) -> Result<()> {
    #[cfg(feature = "bench")]
    if !cfg!(debug_assertions) {
        return plan::run(options);
    }
    start_again(options)
}

fn start_again(options: &Options) -> Result<()> {
    let flags = [(options.quick, "--quick"), (options.json, "--json")];
    let flags = flags.into_iter().filter_map(|(given, flag)| given.then_some(flag));
    crate::process::cargo(["build", "--quiet", "--release", "--package", "tracehub-server"]).run()?;
    crate::process::cargo(["run", "--quiet", "--release", "--package", "xtask", "--features", "bench", "--", "bench"])
        .args(flags)
        .run()
}
