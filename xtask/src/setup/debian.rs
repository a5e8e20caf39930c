//! Packages of Debian and its relatives: installed by root, named to anyone else.

use anyhow::{Result, bail, ensure};

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
