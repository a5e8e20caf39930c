//! Phase `original`: the Python server 0.1.0 under the same load, in the same run. Skipped where it is not installed.

use anyhow::{Context, Result};

use super::load::{Load, measure, measure_running};
use super::plan::Plan;
use super::report::Budget;
use crate::process::{Service, root};

pub(super) fn run(plan: &mut Plan) -> Result<()> {
    let python = root().join("target/python/bin/python");
    if !python.exists() {
        eprintln!("not measured: the Python original, which `cargo xtask setup` installs");
        return Ok(());
    }
    let script = root().join("crates/tracehub-client/tests/python/serve_original.py");
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let database = folder.path().join("tracehub.db");
    let arguments = [&*script.to_string_lossy(), "0", &*database.to_string_lossy()].map(str::to_owned);
    let load = Load { connections: 8, batch: 10, entries: if plan.quick { 2_000 } else { 6_000 } };
    eprintln!("measuring: the original, 8 × 10");
    let server = Service::start(&python, &arguments.each_ref().map(String::as_str), &[], &plan.interrupt)?;
    let original = measure_running(load, &load.encode(3), &server)?;
    // Not `end`: it dies of the signal that ends it, and we ask no more of it.
    drop(server);
    plan.report.add("the original, HTTP, 8 × 10", original);
    let load = Load { entries: 300_000, ..load };
    let ours =
        plan.measure("HTTP, 8 × 10, full, beside the original", |interrupt| measure(load, "full", interrupt))?;
    plan.report.judge(
        "ours (full) / the original, 8 × 10, entries/s",
        ours.rate / original.rate,
        Budget::AtLeast(100.0),
    );
    Ok(())
}
