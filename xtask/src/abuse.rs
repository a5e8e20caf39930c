//! `cargo xtask abuse`: the server under every attack at full size, beside a normal client that must not notice.

use anyhow::Result;

use crate::process::{cargo, root};

/// Runs the tests of the same subject at a size that the test suite has no time for, on the server as users have it, and
/// prints the figures.
pub(crate) fn run() -> Result<()> {
    cargo(["build", "--release", "--package", "tracehub-server"]).run()?;
    let test = ["test", "--package", "tracehub-server", "--test", "abuse", "--", "--nocapture", "--test-threads", "1"];
    let server = root().join("target/release/tracehub-server");
    cargo(test).env("TRACEHUB_TEST_SERVER", server).env("TRACEHUB_TEST_ABUSE", "full").run()
}
