//! `cargo xtask powercut`: what a power cut leaves, at any moment of a server's life, for images of its disk.
//!
//! `record` runs our server under strace with real requests, kills it once in between, and has it start again; `calls` reads
//! what strace wrote; `disk` plays it back on a disk that forgets what was not synced; `judge` opens what is left with the
//! server's own store; `replay` goes from crash point to crash point and counts; `load` is the requests.

#[cfg(feature = "powercut")]
mod calls;
#[cfg(feature = "powercut")]
mod disk;
#[cfg(feature = "powercut")]
mod judge;
#[cfg(feature = "powercut")]
mod load;
#[cfg(feature = "powercut")]
mod record;
#[cfg(feature = "powercut")]
mod replay;

use anyhow::Result;
use clap::Args;

/// How much to try.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Disk images to build and open: a third with nothing that was not synced, a third with the beginning of it, a third
    /// with a random half
    #[arg(long, default_value_t = 900, value_parser = clap::value_parser!(u32).range(3..))]
    images: u32,

    /// Requests to send while the server is watched
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(8..=100_000))]
    requests: u32,

    /// What chance begins with; the same seed cuts the same log at the same places
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Watches one server that syncs before it answers and one that does not, and shows what each would have lost.
///
/// # Errors
/// The first lost something, or something could not be tried.
#[cfg(feature = "powercut")]
pub(crate) fn run(options: &Options) -> Result<()> {
    use crate::process::{Interrupt, cargo, stage};
    let interrupt = Interrupt::listen()?;
    stage("building the server (dev build)", || {
        cargo(["build", "--quiet", "--package", "tracehub-server"]).run()?;
        interrupt.check()
    })?;
    println!("{}", replay::Findings::heading());
    let mut promised = None;
    for durability in ["full", "normal"] {
        let recording = record::record(durability, options.requests, &interrupt)?;
        let findings = replay::replay(&recording, options.images, options.seed, &interrupt)?;
        println!("{}", findings.row(durability));
        findings.damages.iter().for_each(|damage| println!("  {damage}"));
        promised.get_or_insert(findings);
    }
    promised.map_or(Ok(()), |full| full.check())
}

/// The store is only built for this command.
#[cfg(not(feature = "powercut"))]
pub(crate) fn run(options: &Options) -> Result<()> {
    let Options { images, requests, seed } = options;
    crate::process::cargo(["run", "--quiet", "--package", "xtask", "--features", "powercut", "--", "powercut"])
        .args(["--images", &images.to_string(), "--requests", &requests.to_string(), "--seed", &seed.to_string()])
        .run()
}

#[cfg(all(test, feature = "powercut"))]
mod tests {
    use super::*;
    use crate::process::Interrupt;

    /// A small run of the command itself, on the program that was built for the tests.
    #[test]
    fn what_was_answered_survives_a_power_cut_only_when_it_was_synced() {
        let interrupt = Interrupt::listen().expect("signals can be listened for");
        let run = |durability| {
            let recording = record::record(durability, 60, &interrupt).expect("the server is watched");
            replay::replay(&recording, 60, 7, &interrupt).expect("the log is played back")
        };
        run("full").check().expect("nothing is lost");
        let normal = run("normal");
        assert!(normal.check().is_err(), "without syncs this finds what is lost: {}", normal.row("normal"));
    }
}
