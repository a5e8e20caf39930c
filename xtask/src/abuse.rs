//! `cargo xtask abuse`: the server under every attack at full size, beside a normal client that must not notice.

use anyhow::Result;

use crate::process::cargo;

/// Runs the tests of the same subject at a size that the test suite has no time for, in release mode, and prints the
/// figures.
pub(crate) fn run() -> Result<()> {
    let test = ["test", "--release", "--package", "tracehub-server", "--all-features", "--test", "abuse"];
    let cargo = cargo(test).args(["--", "--nocapture", "--test-threads", "1"]);
    cargo.env("TRACEHUB_TEST_ABUSE", "full").run()
}
