//! Packages of Debian and its relatives: installed by root, named to anyone else.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::process::job;

/// Installs packages, without what they merely recommend. `what` they are is said where that cannot be done.
pub(super) fn install(packages: &[&str], what: &str) -> Result<()> {
    let command = format!("apt-get install --yes --no-install-recommends {}", packages.join(" "));
    ensure!(
        job("apt-get", ["--version"]).output().is_ok(),
        "the tests need {what}; install it with the system's package manager"
    );
    if job("id", ["-u"]).output()? != "0" {
        bail!("the tests need {what}; run: sudo {command}");
    }
    eprintln!("    running {command}");
    // Never a question: nobody may be there to answer.
    let quiet = ("DEBIAN_FRONTEND", "noninteractive");
    job("apt-get", ["update", "--quiet=2"]).env(quiet.0, quiet.1).run()?;
    job("sh", ["-c", &command]).env(quiet.0, quiet.1).run()
}

/// Unpacks a package within `folder` without installing it, and gives where. `what` it is for is said where that cannot be
/// done.
pub(super) fn unpack(package: &str, folder: &Path, what: &str) -> Result<PathBuf> {
    ensure!(
        job("apt-get", ["--version"]).output().is_ok(),
        "the tests need {what}; install it with the system's package manager, so that it is on the path"
    );
    let unpacked = folder.join("unpacked");
    let download = format!("cd \"$0\" && rm -rf {package}_*.deb unpacked && apt-get download --quiet=2 {package}");
    let download = || job("sh", ["-c", &download]).args([folder]).output();
    eprintln!("    unpacking the package {package}");
    if download().is_err() {
        ensure!(
            job("id", ["-u"]).output()? == "0",
            "the tests need {what}; its package cannot be downloaded. Run: sudo apt-get update"
        );
        job("apt-get", ["update", "--quiet=2"]).run()?;
        download()?;
    }
    let packages = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let package = packages.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let package = package.context("apt-get downloaded nothing")?;
    job("dpkg-deb", ["--extract"]).args([&package, &unpacked]).run()?;
    fs::remove_file(package)?;
    Ok(unpacked)
}
