//! Chromium and its driver, which the tests of the page and `cargo xtask screenshots` drive.

use anyhow::{Context, Result};

use super::debian;
use crate::process::job;

/// The browser, its driver, and letters to draw: where text has no font, it has no size either.
const PACKAGES: [&str; 3] = ["chromium", "chromium-driver", "fonts-dejavu-core"];

/// Installs what is missing; quick when everything is there.
pub(super) fn install() -> Result<()> {
    if installed().is_err() {
        debian::install(&PACKAGES, "Chromium with its driver")?;
    }
    let driver = installed().context("Chromium or its driver still does not start after its installation")?;
    eprintln!("    {driver}");
    Ok(())
}

/// What the driver says it is, if both start.
fn installed() -> Result<String> {
    job("chromium", ["--version"]).output()?;
    let driver = job("chromedriver", ["--version"]).output()?;
    // The rest is the name of a branch.
    Ok(driver.split(" (").next().unwrap_or_default().to_owned())
}
