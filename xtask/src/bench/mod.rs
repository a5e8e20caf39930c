//! `cargo xtask bench`: what the store, the ingest path and the client take, as ratios measured in one run.
//!
//! `plan` decides what is measured; each phase has a file of its name, `client` a folder. `data` makes the entries, `connection` and `load`
//! bring them to a server, `measure` reads CPU time and memory, `report` prints. `mixed/` is no phase, but what `cargo xtask soak` does.

#[cfg(feature = "bench")]
mod chain;
#[cfg(feature = "bench")]
mod client;
#[cfg(feature = "bench")]
mod connection;
#[cfg(feature = "bench")]
mod data;
#[cfg(feature = "bench")]
mod ingest;
#[cfg(feature = "bench")]
mod live;
#[cfg(feature = "bench")]
mod load;
#[cfg(feature = "bench")]
mod measure;
#[cfg(feature = "bench")]
mod mixed;
#[cfg(feature = "bench")]
mod original;
#[cfg(feature = "bench")]
mod overload;
#[cfg(feature = "bench")]
mod plan;
#[cfg(feature = "bench")]
mod reads;
#[cfg(feature = "bench")]
mod report;
#[cfg(feature = "bench")]
mod retention;
#[cfg(feature = "bench")]
mod soak;
#[cfg(feature = "bench")]
mod start;
#[cfg(feature = "bench")]
mod store;
#[cfg(feature = "bench")]
mod stuck;

use anyhow::Result;
use clap::{Args, ValueEnum};
#[cfg(feature = "bench")]
pub(crate) use mixed::run as soak;

/// How to measure.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Fewer entries and fewer runs: about five minutes
    #[arg(long)]
    quick: bool,

    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,

    /// Only these phases; without any, all but the soak
    #[arg(value_name = "PHASE")]
    phases: Vec<Phase>,

    /// Only these phases too, separated by commas
    #[arg(long, value_name = "PHASE", value_delimiter = ',')]
    only: Vec<Phase>,

    /// What the phase `client` starts itself: fill a client's queue with data of so many bytes, print the MiB it took
    #[cfg(feature = "bench")]
    #[arg(long, value_name = "BYTES", hide = true)]
    fill_queue: Option<usize>,
}

impl Options {
    /// The phases that are asked for by name.
    fn named(&self) -> impl Iterator<Item = Phase> {
        self.phases.iter().chain(&self.only).copied()
    }
}

/// A part of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Phase {
    /// The store alone, and the original's schema with the same entries
    Store,
    /// The server over HTTP: connections, batch sizes, durability
    Ingest,
    /// Questions to databases of several sizes, while entries come in
    Reads,
    /// Ingest while expired entries are deleted
    Retention,
    /// Events to those who listen, while entries come in
    Live,
    /// Ingest beside listeners that never read
    Stuck,
    /// Three times as many entries as can be stored, for a minute
    Overload,
    /// Starts after kill -9 on a database of a gigabyte
    Start,
    /// What chains of 100,000 entries mean, found in this process
    Chain,
    /// The client SDK in this process, beside other telemetry senders: cost of a call, loss, memory
    Client,
    /// The Python original under the same load
    Original,
    /// Ten minutes of a steady load: memory. Only when it is named
    Soak,
}

impl Phase {
    /// Whether it measures in this process alone.
    fn needs_no_server(self) -> bool {
        matches!(self, Self::Store | Self::Chain | Self::Client)
    }
}

/// Measures in release mode: a debug build starts itself again as one.
pub(crate) fn run(options: &Options) -> Result<()> {
    #[cfg(feature = "bench")]
    if let Some(data_bytes) = options.fill_queue {
        return client::fill(data_bytes);
    }
    #[cfg(feature = "bench")]
    if !cfg!(debug_assertions) {
        return plan::run(options);
    }
    start_again(options)
}

fn start_again(options: &Options) -> Result<()> {
    let flags = [(options.quick, "--quick"), (options.json, "--json")];
    let flags = flags.into_iter().filter_map(|(given, flag)| given.then_some(flag.to_owned()));
    let phases = options.named().filter_map(|phase| phase.to_possible_value());
    let phases = phases.map(|phase| phase.get_name().to_owned());
    if !options.named().all(Phase::needs_no_server) || options.named().next().is_none() {
        crate::process::cargo(["build", "--quiet", "--release", "--package", "tracehub-server"]).run()?;
    }
    crate::process::cargo(["run", "--quiet", "--release", "--package", "xtask", "--features", "bench", "--", "bench"])
        .args(flags.chain(phases))
        .run()
}
