//! `cargo xtask fuzz-http`: the server under schemathesis, with as many requests as asked.

use anyhow::Result;

use crate::process::{cargo, stage};
use crate::setup;

/// Runs the test of the same subject with more requests than the test suite has time for.
pub(crate) fn run(examples: u32) -> Result<()> {
    stage("setup", setup::install)?;
    let test = ["test", "--package", "tracehub-server", "--test", "it", "schemathesis::", "--", "--nocapture"];
    cargo(test).env("TRACEHUB_TEST_EXAMPLES", examples.to_string()).run()
}
