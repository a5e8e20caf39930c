//! Ingest load on a server: connections that send requests encoded beforehand, each waiting for its answer.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::connection::{Connection, ingest_request};
use super::data::Source;
use super::measure::{Sample, Watch, peak_resident_mb, percentile};
use crate::process::{Interrupt, Service, root};

/// Chains that one connection keeps alive.
const LIVE_PER_CONNECTION: usize = 20;

/// What to send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) connections: usize,
    /// Entries in a request.
    pub(super) batch: usize,
    /// Entries in all.
    pub(super) entries: usize,
}

/// For each connection, its requests.
pub(super) type Encoded = Vec<Vec<Vec<u8>>>;

impl Load {
    /// Encodes everything, with data of 80 bytes in each entry. `seed` tells one load's chains from another's.
    pub(super) fn encode(self, seed: u64) -> Encoded {
        let requests = self.entries.div_ceil(self.batch * self.connections);
        (0..self.connections as u64)
            .map(|connection| {
                let mut source = Source::new(seed * 1000 + connection, LIVE_PER_CONNECTION, true);
                (0..requests).map(|_| ingest_request(&source.body(self.batch))).collect()
            })
            .collect()
    }
}

/// Starts our server on a database.
pub(super) fn start_server(database: &Path, durability: &str, interrupt: &Interrupt) -> Result<Service> {
    let program = root().join("target/release/tracehub-server");
    let database = database.to_string_lossy();
    let environment = [("TRACEHUB_PORT", "0"), ("TRACEHUB_DB", &*database), ("TRACEHUB_DURABILITY", durability)];
    Service::start(&program, &[], &environment, interrupt)
}

/// Sends the requests to a server of their own and measures it, the generator apart.
pub(super) fn measure(load: Load, durability: &str, interrupt: &Interrupt) -> Result<Sample> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let encoded = load.encode(0);
    let server = start_server(&folder.path().join("tracehub.db"), durability, interrupt)?;
    let sample = measure_running(load, &encoded, &server)?;
    server.end()?;
    Ok(sample)
}

/// Sends the requests to a server that runs.
pub(super) fn measure_running(load: Load, encoded: &Encoded, server: &Service) -> Result<Sample> {
    let (own, servers) = (Watch::start(&"self")?, Watch::start(&server.id())?);
    let times = send(server.address(), encoded, &AtomicBool::new(false))?;
    let (elapsed, cpu) = servers.stop()?;
    let (_, generator_cpu) = own.stop()?;
    let entries = times.len() * load.batch;
    Ok(Sample {
        generator_cpu: generator_cpu * 1e6 / entries as f64,
        p50: percentile(&times, 0.5),
        p99: percentile(&times, 0.99),
        resident_mb: peak_resident_mb(server.id())?,
        ..Sample::of(entries, elapsed, cpu)
    })
}

/// Sends until everything is sent or `stop` is set; gives the answers' times in ms, sorted.
pub(super) fn send(address: &str, encoded: &Encoded, stop: &AtomicBool) -> Result<Vec<f64>> {
    let mut times = std::thread::scope(|scope| {
        let senders: Vec<_> =
            encoded.iter().map(|requests| scope.spawn(|| send_one(address, requests, stop))).collect();
        senders.into_iter().try_fold(Vec::new(), |mut all, sender| {
            all.extend(sender.join().map_err(|_| anyhow!("a connection's thread panicked"))??);
            Ok::<_, anyhow::Error>(all)
        })
    })?;
    times.sort_by(f64::total_cmp);
    Ok(times)
}

fn send_one(address: &str, requests: &[Vec<u8>], stop: &AtomicBool) -> Result<Vec<f64>> {
    let mut connection = Connection::open(address)?;
    let running = requests.iter().take_while(|_| !stop.load(Ordering::Relaxed));
    running.map(|request| connection.ask(request)).collect()
}

/// Sends entries at a steady rate (per second), in batches, until told to stop. Gives how many they were.
pub(super) fn trickle(address: &str, rate: u32, stop: &AtomicBool) -> Result<usize> {
    const BATCH: u32 = 100;
    let mut connection = Connection::open(address)?;
    let mut source = Source::new(99, 200, true);
    let start = Instant::now();
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        connection.ask(&ingest_request(&source.body(BATCH as usize)))?;
        sent += BATCH as usize;
        let due = start + Duration::from_secs_f64(sent as f64 / f64::from(rate));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(sent)
}
