//! `cargo xtask kill`: the server under load, killed as often as asked, and nothing lost.

use anyhow::Result;

use crate::process::cargo;

/// Runs the test of the same subject with more rounds than the test suite has time for.
pub(crate) fn run(rounds: u32) -> Result<()> {
    let test = ["test", "--package", "tracehub-server", "--test", "it", "crash::", "--", "--nocapture"];
    cargo(test).env("TRACEHUB_TEST_KILLS", rounds.to_string()).run()
}
