//! `cargo xtask soak`: everything at once for minutes, then restarts, and what grows, leaks or gets lost meanwhile. What it
//! does is in `bench/mixed/`, with the load that `bench` brings.

use anyhow::Result;
use clap::Args;

use crate::process::cargo;

/// How long.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Minutes in all; more than half of them without a restart, so that growth can be seen
    #[arg(long, value_name = "MINUTES", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,

    /// One minute: enough to see that it works, too little to see a leak
    #[arg(long, conflicts_with = "minutes")]
    quick: bool,
}

/// Soaks in release mode: a debug build starts itself again as one.
pub(crate) fn run(options: &Options) -> Result<()> {
    let minutes = if options.quick { 1 } else { options.minutes };
    #[cfg(feature = "bench")]
    if !cfg!(debug_assertions) {
        return crate::bench::soak(minutes);
    }
    cargo(["build", "--quiet", "--release", "--package", "tracehub-server"]).run()?;
    let again = ["run", "--quiet", "--release", "--package", "xtask", "--features", "bench", "--", "soak", "--minutes"];
    cargo(again).args([minutes.to_string()]).run()
}
