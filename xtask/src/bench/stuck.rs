//! Phase `stuck`: ingest at full speed beside listeners of all chains that never read.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

use super::connection::get_request;
use super::load::{self, Load, start_server};
use super::measure::Sample;
use super::plan::Plan;
use super::report::Budget;
use crate::process::Interrupt;

pub(super) fn run(plan: &mut Plan) -> Result<()> {
    const STUCK: usize = 1_000;
    let load = Load { connections: 64, batch: 100, entries: if plan.quick { 400_000 } else { 2_400_000 } };
    let encoded = load.encode(11);
    let beside = |listeners: usize| {
        let encoded = &encoded;
        move |interrupt: &Interrupt| -> Result<Sample> {
            let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
            let server = start_server(&folder.path().join("tracehub.db"), "normal", interrupt)?;
            let streams = (0..listeners).map(|_| {
                let stream = TcpStream::connect(server.address()).context("a listener cannot connect")?;
                (&stream).write_all(&get_request("/stream"))?;
                Ok(stream)
            });
            let streams = streams.collect::<Result<Vec<_>>>()?;
            std::thread::sleep(Duration::from_millis(500));
            let sample = load::measure_running(load, encoded, &server)?;
            drop(streams);
            server.end()?;
            Ok(sample)
        }
    };
    let alone = plan.measure("HTTP, 64 × 100, normal, nobody listens", beside(0))?;
    let crowded = plan.measure("HTTP, 64 × 100, normal, 1,000 stuck listeners", beside(STUCK))?;
    plan.report.judge("ingest beside 1,000 stuck listeners / alone", crowded.rate / alone.rate, Budget::AtLeast(0.9));
    let more = crowded.resident_mb - alone.resident_mb;
    plan.report.judge("memory of 1,000 stuck listeners, MB", more, Budget::AtMost(100.0));
    Ok(())
}
