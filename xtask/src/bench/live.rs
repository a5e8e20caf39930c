//! Phase `live`: how long after its acknowledgement an entry reaches those who listen, while 10,000 a second come in.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::connection::{Connection, get_request, ingest_request};
use super::load::start_server;
use super::measure::{Sample, Watch, peak_resident_mb, percentile};
use super::plan::Plan;
use super::report::Budget;
use crate::process::Interrupt;

/// Entries a second.
const RATE: u64 = 10_000;
/// Entries in a request.
const BATCH: u64 = 10;

/// Who listens to what.
#[derive(Debug, Clone, Copy)]
struct Audience {
    listeners: usize,
    /// Chains that the entries are spread over; each listener follows one, in turn.
    chains: usize,
    /// What each asks for; `{}` is the chain's number.
    path: &'static str,
    /// Whether it gets what it asks for, or nothing.
    hears: bool,
}

pub(super) fn run(plan: &mut Plan) -> Result<()> {
    const CHAIN: &str = "/traces/live-{}/stream?timeout=300";
    const DEAF: &str = "/stream?source=nobody";
    let audiences = [
        ("nobody", Audience { listeners: 0, chains: 100, path: CHAIN, hears: true }),
        ("1 listener, its chain of 100", Audience { listeners: 1, chains: 100, path: CHAIN, hears: true }),
        ("100 listeners, a chain each", Audience { listeners: 100, chains: 100, path: CHAIN, hears: true }),
        ("1,000 listeners, a chain each", Audience { listeners: 1_000, chains: 1_000, path: CHAIN, hears: true }),
        ("100 listeners, all the same chain", Audience { listeners: 100, chains: 1, path: CHAIN, hears: true }),
        ("10 listeners, all chains", Audience { listeners: 10, chains: 1, path: "/stream", hears: true }),
        ("1 listener, nothing matches", Audience { listeners: 1, chains: 100, path: DEAF, hears: false }),
        ("1,000 listeners, nothing matches", Audience { listeners: 1_000, chains: 100, path: DEAF, hears: false }),
    ];
    let length = Duration::from_secs(if plan.quick { 1 } else { 4 });
    for (name, audience) in audiences {
        let sample = plan.measure(&format!("live, {name}"), |interrupt| measure(audience, length, interrupt))?;
        if audience.listeners == 100 && audience.chains == 100 {
            plan.report.judge("live, 100 listeners, p99, ms", sample.p99, Budget::AtMost(20.0));
        }
    }
    Ok(())
}

fn measure(audience: Audience, length: Duration, interrupt: &Interrupt) -> Result<Sample> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let server = start_server(&folder.path().join("tracehub.db"), "full", interrupt)?;
    let mut streams = Vec::new();
    for listener in 0..audience.listeners {
        let stream = TcpStream::connect(server.address()).context("a listener cannot connect")?;
        let path = audience.path.replace("{}", &(listener % audience.chains).to_string());
        (&stream).write_all(&get_request(&path))?;
        streams.push(stream);
    }
    std::thread::sleep(Duration::from_millis(500));

    let requests = RATE / BATCH * length.as_secs();
    let acknowledged: Vec<AtomicU64> = (0..requests).map(|_| AtomicU64::new(0)).collect();
    let start = Instant::now();
    let watch = Watch::start(&server.id())?;
    let mut times = std::thread::scope(|scope| -> Result<Vec<f64>> {
        let listeners: Vec<_> =
            streams.iter().map(|stream| scope.spawn(|| listen(stream, &acknowledged, start))).collect();
        let outcome = send(server.address(), audience.chains as u64, &acknowledged, start);
        std::thread::sleep(Duration::from_millis(500));
        for stream in &streams {
            stream.shutdown(Shutdown::Both)?;
        }
        outcome?;
        listeners.into_iter().try_fold(Vec::new(), |mut all, listener| {
            all.extend(listener.join().map_err(|_| anyhow!("a listener's thread panicked"))??);
            Ok(all)
        })
    })?;
    let (elapsed, cpu) = watch.stop()?;
    let resident_mb = peak_resident_mb(server.id())?;
    drop(server);
    let per_chain = requests * BATCH / audience.chains as u64;
    let expected = if audience.hears { per_chain * audience.listeners as u64 } else { 0 };
    ensure!(times.len() as u64 == expected, "{} events came of {expected}", times.len());
    times.sort_by(f64::total_cmp);
    let entries = usize::try_from(requests * BATCH)?;
    Ok(Sample {
        p50: percentile(&times, 0.5),
        p99: percentile(&times, 0.99),
        resident_mb,
        ..Sample::of(entries, elapsed, cpu)
    })
}

/// Sends batches at the rate, entry by entry to the next chain; notes when each batch was acknowledged.
fn send(address: &str, chains: u64, acknowledged: &[AtomicU64], start: Instant) -> Result<()> {
    let mut connection = Connection::open(address)?;
    for (number, acknowledged) in (0_u64..).zip(acknowledged) {
        let entries: Vec<String> =
            (number * BATCH..(number + 1) * BATCH).map(|entry| entry_json(entry, chains)).collect();
        connection.ask(&ingest_request(&format!("{{\"traces\":[{}]}}", entries.join(","))))?;
        acknowledged.store(nanoseconds(start), Ordering::Relaxed);
        let due = start + Duration::from_secs(1) * u32::try_from(number * BATCH)? / u32::try_from(RATE)?;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

fn entry_json(number: u64, chains: u64) -> String {
    let chain = number % chains;
    format!(
        r#"{{"source_id":"MA","correlation_id":"live-{chain}","timestamp":{number},"suffix":"{number}","direction":"->","operation":"REST","endpoint":"/api/agents/{chain}","data":{{"status":200}},"hostname":"web-1"}}"#
    )
}

/// Reads events until the connection is shut down; gives for each how long after its acknowledgement it came, in ms.
fn listen(stream: &TcpStream, acknowledged: &[AtomicU64], start: Instant) -> Result<Vec<f64>> {
    const SUFFIX: &str = "\"suffix\":\"";
    let mut times = Vec::new();
    let mut lines = BufReader::with_capacity(64 << 10, stream);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        if line.starts_with("data: ")
            && let Some((_, rest)) = line.split_once(SUFFIX)
        {
            let number: u64 = rest.split('"').next().unwrap_or_default().parse()?;
            let at = acknowledged.get(usize::try_from(number / BATCH)?).context("an entry that was not sent")?;
            // Zero where the event overtook the answer.
            let acknowledged = at.load(Ordering::Relaxed);
            let late = if acknowledged == 0 { 0 } else { nanoseconds(start).saturating_sub(acknowledged) };
            times.push(late as f64 / 1e6);
        }
        line.clear();
    }
    Ok(times)
}

fn nanoseconds(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
