//! `cargo xtask setup`: what the tests need beside Rust. `python` is the original and what comes with Python, `browser`
//! what the tests of the page drive, `tracing` by what disks fail and clocks are set, `watching` what checks the files for
//! those who run a server, `debian` how packages of the system are installed.

use anyhow::Result;

use crate::process::stage;

mod browser;
mod debian;
mod python;
mod tracing;
mod watching;

/// Installs what is missing.
pub(crate) fn run() -> Result<()> {
    stage("setup", install)
}

/// The stage itself: quick when everything is there.
pub(crate) fn install() -> Result<()> {
    python::install()?;
    tracing::install()?;
    browser::install()?;
    watching::install()
}
