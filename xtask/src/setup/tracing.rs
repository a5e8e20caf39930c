//! strace, by which the tests let a disk fail and watch what reaches it, and libfaketime, by which they set clocks.

use std::path::Path;

use anyhow::{Result, ensure};

use super::debian;
use crate::process::job;

const PACKAGES: [&str; 2] = ["strace", "libfaketime"];

/// Installs what is missing; quick when everything is there.
pub(super) fn install() -> Result<()> {
    if !installed() {
        debian::install(&PACKAGES, "strace and libfaketime")?;
    }
    ensure!(installed(), "strace or libfaketime is still not there after its installation");
    Ok(())
}

fn installed() -> bool {
    job("strace", ["--version"]).output().is_ok() && faketime_is_there()
}

/// Its folder is named after the machine's kind.
fn faketime_is_there() -> bool {
    let kinds = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|kind| kind.path());
    kinds.chain([Path::new("/usr/lib").to_owned()]).any(|kind| kind.join("faketime/libfaketimeMT.so.1").exists())
}
