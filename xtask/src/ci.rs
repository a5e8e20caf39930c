//! `cargo xtask ci`: every check a change must pass, in the order in which they fail fastest.

use anyhow::Result;

use crate::process::{cargo, stage};
use crate::{demo, setup, test, tidy};

/// Runs the stages; the first that fails ends the run and is named.
pub(crate) fn run() -> Result<()> {
    stage("setup", setup::install)?;
    stage("format", || cargo(["fmt", "--all", "--check"]).run())?;
    stage("tidy", tidy::check)?;
    stage("clippy", || {
        cargo(["clippy", "--workspace", "--all-targets", "--all-features", "--", "--deny", "warnings"]).run()
    })?;
    stage("doc", || {
        cargo(["doc", "--workspace", "--all-features", "--no-deps", "--document-private-items"])
            .env("RUSTDOCFLAGS", "--deny warnings")
            .run()
    })?;
    // A build of the workspace turns on every feature that any member asks for. Only a build of one crate proves that
    // it stands without them.
    stage("features", || {
        cargo(["check", "--package", "tracehub-core"]).run()?;
        cargo(["check", "--package", "tracehub-core", "--features", "schema"]).run()?;
        cargo(["check", "--package", "tracehub-client", "--no-default-features"]).run()?;
        for feature in ["actix-web", "compression", "fuzzing", "layer", "reqwest", "tls", "tower"] {
            cargo(["check", "--package", "tracehub-client", "--no-default-features", "--features", feature]).run()?;
        }
        Ok(())
    })?;
    test::stages(&[])?;
    // The whole road once, as a new user takes it.
    demo::run(false)
}
