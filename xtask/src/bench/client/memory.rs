//! What a full queue takes of memory, in a process of its own: this one's allocator keeps what earlier phases freed.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::super::measure::resident_mb;
use super::event::{ENDPOINT, OPERATION};
use super::ours::Ours;

/// By how many MiB a process grows when a client's queue fills up with entries whose data has so many bytes.
pub(super) fn growth(data_bytes: usize) -> Result<f64> {
    let program = std::env::current_exe().context("cannot find the own program")?;
    let output = Command::new(program).args(["bench", "--fill-queue", &data_bytes.to_string()]).output()?;
    ensure!(output.status.success(), "filling a queue failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    String::from_utf8_lossy(&output.stdout).trim().parse().context("no number came of filling a queue")
}

/// What the process of its own does. Prints the growth.
pub(in super::super) fn fill(data_bytes: usize) -> Result<()> {
    #[derive(Serialize)]
    struct Note<'a> {
        note: &'a str,
    }
    let process = std::process::id();
    let note = "x".repeat(data_bytes);
    let before = resident_mb(process)?;
    let client = Ours::hanging()?;
    client.fill(|logger| logger.checkpoint_entry("full", OPERATION, ENDPOINT, &Note { note: &note }))?;
    println!("{:.2}", resident_mb(process)? - before);
    Ok(())
}
