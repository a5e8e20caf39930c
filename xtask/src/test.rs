//! `cargo xtask test`: everything the tests need, then the tests.

use anyhow::{Result, bail};

use crate::process::{cargo, stage};
use crate::setup;

/// Runs the tests from nothing: setup, build, tests.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    stage("setup", setup::install)?;
    stages(arguments)
}

/// Runs the stages after setup. `arguments` go to `cargo test`.
pub(crate) fn stages(arguments: &[String]) -> Result<()> {
    stage("the client carries no SQLite", client_carries_no_sqlite)?;
    // Some tests start the programs from target/debug, and `cargo test` does not build those of other crates.
    // --all-targets, because the same features must be resolved as in the tests, or everything is built twice.
    stage("build", || cargo(["build", "--workspace", "--all-features", "--all-targets"]).run())?;
    stage("tests", || cargo(["test", "--workspace", "--all-features", "--no-fail-fast"]).args(arguments).run())
}

/// Whoever embeds the client must not have to build a database: `SQLite` may not be in its dependency tree.
fn client_carries_no_sqlite() -> Result<()> {
    let tree =
        ["tree", "--package", "tracehub-client", "--all-features", "--edges", "normal", "--invert", "libsqlite3-sys"];
    let output = cargo(tree).output_unchecked()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && !errors.contains("did not match any packages") {
        bail!("`cargo tree` failed: {}", errors.trim());
    }
    let found = String::from_utf8_lossy(&output.stdout);
    if !found.trim().is_empty() {
        bail!("tracehub-client depends on SQLite, by this way:\n{}", found.trim());
    }
    Ok(())
}
