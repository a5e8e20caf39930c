//! A server under load: connections that send bodies encoded beforehand, each waiting for its answer.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::data::Source;
use super::measure::{Sample, Watch, peak_resident_mb, percentile};
use super::store::sample;
use crate::process::{Interrupt, Service, root};

/// Chains that one connection keeps alive.
const LIVE_PER_CONNECTION: usize = 20;
/// How long an answer may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) connections: usize,
    /// Entries in a request.
    pub(super) batch: usize,
    /// Entries in all.
    pub(super) entries: usize,
    pub(super) durability: &'static str,
}

/// Starts a server on a new database, sends it the load, and ends it.
pub(super) fn ingest(load: Load, interrupt: &Interrupt) -> Result<Sample> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let database = folder.path().join("tracehub.db");
    let program = root().join("target/release/tracehub-server");
    let environment = [
        ("TRACEHUB_PORT", "0"),
        ("TRACEHUB_DB", &database.to_string_lossy()),
        ("TRACEHUB_DURABILITY", load.durability),
    ];
    let requests = load.entries.div_ceil(load.batch * load.connections);
    let encoded: Vec<Vec<Vec<u8>>> =
        (0..load.connections).map(|connection| encode(connection as u64, requests, load.batch)).collect();

    let server = Service::start(&program, &[], &environment, interrupt)?;
    let (own, servers) = (Watch::start(&"self")?, Watch::start(&server.id())?);
    let mut times = std::thread::scope(|scope| {
        let senders: Vec<_> = encoded.iter().map(|requests| scope.spawn(|| send(server.address(), requests))).collect();
        senders.into_iter().try_fold(Vec::new(), |mut all, sender| {
            all.extend(sender.join().map_err(|_| anyhow!("a connection's thread panicked"))??);
            Ok::<_, anyhow::Error>(all)
        })
    })?;
    let (elapsed, cpu) = servers.stop()?;
    let (_, generator_cpu) = own.stop()?;
    let resident_mb = peak_resident_mb(server.id())?;
    server.end()?;

    let entries = requests * load.batch * load.connections;
    times.sort_by(f64::total_cmp);
    Ok(Sample {
        generator_cpu: generator_cpu * 1e6 / entries as f64,
        p50: percentile(&times, 0.5),
        p99: percentile(&times, 0.99),
        resident_mb,
        ..sample(entries, elapsed, cpu)
    })
}

/// Whole requests, head and body.
fn encode(seed: u64, requests: usize, batch: usize) -> Vec<Vec<u8>> {
    let mut source = Source::new(seed + 1, LIVE_PER_CONNECTION, true);
    let request = |body: String| {
        format!(
            "POST /ingest HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    (0..requests).map(|_| request(source.body(batch))).collect()
}

/// Sends requests one after the other; gives each answer's time in ms.
fn send(address: &str, requests: &[Vec<u8>]) -> Result<Vec<f64>> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut answers = BufReader::new(connection.try_clone()?);
    let mut times = Vec::with_capacity(requests.len());
    for request in requests {
        let start = Instant::now();
        connection.write_all(request)?;
        read_answer(&mut answers)?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times)
}

/// Reads one answer to its end; it must be a 200.
fn read_answer(answers: &mut BufReader<TcpStream>) -> Result<()> {
    let mut line = String::new();
    answers.read_line(&mut line)?;
    ensure!(line.starts_with("HTTP/1.1 200"), "the server answered {line:?}");
    let mut length = 0;
    loop {
        line.clear();
        answers.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    Ok(answers.read_exact(&mut body)?)
}
