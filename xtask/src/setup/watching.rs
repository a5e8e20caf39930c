//! What checks the files for those who run a server: `promtool` for the metrics and the alerts, `systemd-analyze` for the
//! unit.

use std::fs;

use anyhow::{Context, Result};

use super::debian;
use crate::process::{job, root};

/// Where the tests look for promtool.
const FOLDER: &str = "target/promtool";

/// Installs what is missing; quick when everything is there.
pub(super) fn install() -> Result<()> {
    let promtool = root().join(FOLDER).join("promtool");
    if job(&promtool, ["--version"]).output().is_err() {
        install_promtool()?;
    }
    let version = job(&promtool, ["--version"]).output().context("promtool still does not start")?;
    eprintln!("    {}", version.lines().next().unwrap_or_default());
    if job("systemd-analyze", ["--version"]).output().is_err() {
        debian::install(&["systemd"], "systemd-analyze")?;
    }
    let version = job("systemd-analyze", ["--version"]).output().context("systemd-analyze still does not start")?;
    eprintln!("    {}", version.lines().next().unwrap_or_default());
    Ok(())
}

/// Takes promtool out of the package: to install that would start a Prometheus server.
fn install_promtool() -> Result<()> {
    let folder = root().join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {FOLDER}"))?;
    let promtool = folder.join("promtool");
    // Left by an installation that was broken off.
    if promtool.symlink_metadata().is_ok() {
        fs::remove_file(&promtool)?;
    }
    if let Ok(installed) = job("sh", ["-c", "command -v promtool"]).output() {
        return std::os::unix::fs::symlink(installed, &promtool).context("cannot link promtool");
    }
    let unpacked = debian::unpack("prometheus", &folder, "promtool, of Prometheus")?;
    fs::rename(unpacked.join("usr/bin/promtool"), &promtool).context("the package holds no promtool")?;
    fs::remove_dir_all(&unpacked).context("cannot tidy up after promtool")
}
