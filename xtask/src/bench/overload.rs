//! Phase `overload`: three times as many entries as can be stored, for a minute. The surplus is refused at once, and as
//! much is stored as before.
//!
//! Measured twice. Once senders and server share the machine: what the senders spend on batches that are refused is
//! missing for the server. Once the server has a core to itself, and the senders another: what is missing then is what
//! refusing costs.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::connection::{Connection, ingest_request, stats};
use super::data::Source;
use super::load::start_server;
use super::measure::{Watch, peak_resident_mb, percentile, resident_mb};
use super::plan::Plan;
use super::report::{Budget, Figure};

/// Entries in a request.
const BATCH: usize = 500;
/// How much more is sent than can be stored.
const TIMES_THE_PEAK: f64 = 3.0;
/// Connections that find the peak: one request of each waits at a time.
const AT_THE_PEAK: u32 = 16;
/// Connections that ask too much: so many that waiting for answers does not hold their rate back.
const TOO_MANY: u32 = 1_200;
/// The stack of a connection's thread, which calls hardly anything.
const STACK_BYTES: usize = 256 << 10;

pub(super) fn run(plan: &mut Plan) -> Result<()> {
    let all = sched_getaffinity(None).context("cannot see the cores")?;
    measure(plan, "cores shared", None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
    let Some(apart) = cores.next().zip(cores.next()) else { return Ok(()) };
    let outcome = measure(plan, "a core each", Some(apart));
    sched_setaffinity(None, &all).context("cannot use all cores again")?;
    outcome
}

/// Threads and processes that are started from now on run on one core.
fn pin(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).with_context(|| format!("cannot run on core {core} alone"))
}

/// The peak, three times the peak, and the peak again: a store gets slower as it grows, and refusing is not to be blamed
/// for that. `apart` is the server's core and the senders'.
fn measure(plan: &mut Plan, name: &str, apart: Option<(usize, usize)>) -> Result<()> {
    eprintln!("measuring: three times too much, {name}");
    let time = Duration::from_secs(if plan.quick { 15 } else { 60 });
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    if let Some((servers, _)) = apart {
        pin(servers)?;
    }
    let server = start_server(&folder.path().join("tracehub.db"), "full", &plan.interrupt)?;
    if let Some((_, senders)) = apart {
        pin(senders)?;
    }
    let address = server.address();
    let mut acknowledged: u64 = 0;
    let mut peak_of = |first: u64| {
        let outcome = send(address, senders(first, AT_THE_PEAK), time / 4, Duration::ZERO)?;
        plan.interrupt.check()?;
        acknowledged += (outcome.accepted.len() * BATCH) as u64;
        Ok::<_, anyhow::Error>(outcome.rate())
    };
    // A store that is new and small is faster than it ever is again.
    peak_of(0)?;
    let before = peak_of(1_000)?;
    let before_mb = resident_mb(server.id())?;
    let pause = Duration::from_secs_f64(f64::from(TOO_MANY) * BATCH as f64 / (TIMES_THE_PEAK * before));
    let many = senders(2_000, TOO_MANY);
    let (watch, own) = (Watch::start(&server.id())?, Watch::start(&"self")?);
    let process = server.id();
    let (crowded, midway_mb) = std::thread::scope(|scope| {
        let midway = scope.spawn(move || {
            std::thread::sleep(time / 2);
            resident_mb(process)
        });
        let crowded = send(address, many, time, pause);
        let midway = midway.join().map_err(|_| anyhow!("the look at the memory panicked"));
        Ok::<_, anyhow::Error>((crowded?, midway??))
    })?;
    let end_mb = resident_mb(process)?;
    let ((_, cpu), (_, own_cpu)) = (watch.stop()?, own.stop()?);
    let peak_mb = peak_resident_mb(server.id())?;
    let after = peak_of(5_000)?;
    acknowledged += (crowded.accepted.len() * BATCH) as u64;
    let stored = stats(address)?.stored.entries;
    server.end()?;
    ensure!(stored == acknowledged, "{acknowledged} entries were acknowledged and {stored} are stored");

    let figure = |label, unit, value| Figure { label, unit, value };
    let asked = (crowded.accepted.len() + crowded.refused.len()) * BATCH;
    plan.report.figures(
        format!("three times too much, {name}"),
        vec![
            figure("peak before", "k/s", before / 1e3),
            figure("asked", "k/s", asked as f64 / crowded.seconds / 1e3),
            figure("stored", "k/s", crowded.rate() / 1e3),
            figure("peak after", "k/s", after / 1e3),
            figure("stored p50", "ms", percentile(&crowded.accepted, 0.5)),
            figure("refused p50", "ms", percentile(&crowded.refused, 0.5)),
            figure("refused p99", "ms", percentile(&crowded.refused, 0.99)),
            figure("CPU", "cores", cpu / crowded.seconds),
            figure("load", "cores", own_cpu / crowded.seconds),
            figure("midway", "MB", midway_mb),
            figure("at the end", "MB", end_mb),
        ],
    );
    let peak = f64::midpoint(before, after);
    let ratio = crowded.rate() / peak;
    plan.report.judge(format!("stored at three times the peak / peak, {name}"), ratio, Budget::AtLeast(0.8));
    let p99 = percentile(&crowded.accepted, 0.99);
    plan.report.judge(format!("answer p99 of what is stored, {name}, ms"), p99, Budget::AtMost(1_000.0));
    plan.report.judge(format!("memory on top of the peak's, {name}, MB"), peak_mb - before_mb, Budget::AtMost(200.0));
    Ok(())
}

/// So many senders, whose entries are those of nobody else.
fn senders(first: u64, count: u32) -> Vec<Template> {
    (first..).take(count as usize).map(Template::new).collect()
}

/// What the senders saw.
#[derive(Debug, Default)]
struct Outcome {
    seconds: f64,
    /// Milliseconds until a 200, sorted.
    accepted: Vec<f64>,
    /// Milliseconds until a 503, sorted.
    refused: Vec<f64>,
}

impl Outcome {
    /// Entries stored per second.
    fn rate(&self) -> f64 {
        (self.accepted.len() * BATCH) as f64 / self.seconds
    }
}

/// Sends for some time, from a connection each. A sender sends its next batch when it has its answer, and not before
/// `pause` has passed since the last was due.
fn send(address: &str, senders: Vec<Template>, time: Duration, pause: Duration) -> Result<Outcome> {
    let count = senders.len() as f64;
    let senders =
        senders.into_iter().map(|batch| Ok((batch, Connection::open(address)?))).collect::<Result<Vec<_>>>()?;
    let began = Instant::now();
    let outcomes = std::thread::scope(|scope| {
        let threads = senders.into_iter().enumerate().map(|(place, (batch, connection))| {
            let first = began + pause.mul_f64(place as f64 / count);
            std::thread::Builder::new()
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, move || send_one(connection, batch, first, began + time, pause))
                .context("cannot start a sender's thread")
        });
        let threads = threads.collect::<Result<Vec<_>>>()?;
        let outcomes = threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a sender panicked"))?);
        outcomes.collect::<Result<Vec<_>>>()
    })?;
    let mut all = Outcome { seconds: began.elapsed().as_secs_f64(), ..Outcome::default() };
    for outcome in outcomes {
        all.accepted.extend(outcome.accepted);
        all.refused.extend(outcome.refused);
    }
    all.accepted.sort_by(f64::total_cmp);
    all.refused.sort_by(f64::total_cmp);
    Ok(all)
}

fn send_one(
    mut connection: Connection,
    mut batch: Template,
    first: Instant,
    end: Instant,
    pause: Duration,
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut due = first;
    for number in 0.. {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if Instant::now() >= end {
            break;
        }
        due = (due + pause).max(Instant::now());
        let request = batch.numbered(number, SystemTime::now());
        let asked = Instant::now();
        let status = connection.status_of(request)?;
        let took = asked.elapsed().as_secs_f64() * 1000.0;
        match status {
            200 => outcome.accepted.push(took),
            503 => outcome.refused.push(took),
            _ => bail!("the server answered {status}"),
        }
    }
    Ok(outcome)
}

/// A request encoded once, in which a number makes each entry new: the senders shall cost less than the server.
struct Template {
    request: Vec<u8>,
    /// Where the correlation ids begin, and the whole milliseconds of the timestamps.
    ids: Vec<usize>,
    times: Vec<usize>,
}

impl Template {
    fn new(sender: u64) -> Self {
        let request = ingest_request(&Source::new(sender, 20, true).body(BATCH));
        let text = String::from_utf8_lossy(&request);
        let after = |key: &str| text.match_indices(key).map(|(place, _)| place + key.len()).collect();
        let (ids, times) = (after("\"correlation_id\":\""), after("\"timestamp\":"));
        Self { request, ids, times }
    }

    /// New chains, of a moment.
    fn numbered(&mut self, number: u64, moment: SystemTime) -> &[u8] {
        let since_epoch = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (id, time) = (format!("{number:08x}"), format!("{:013}", since_epoch.as_millis()));
        for place in &self.ids {
            self.request[*place..place + id.len()].copy_from_slice(id.as_bytes());
        }
        for place in &self.times {
            self.request[*place..place + time.len()].copy_from_slice(time.as_bytes());
        }
        &self.request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_makes_another_valid_batch() {
        let mut template = Template::new(3);
        let first = template.numbered(1, SystemTime::now()).to_vec();
        assert_eq!((template.ids.len(), template.times.len()), (BATCH, BATCH));
        let second = template.numbered(2, SystemTime::now());
        assert!(first.len() == second.len() && first != second);
        for request in [&first[..], second] {
            let body = request.windows(4).position(|four| four == b"\r\n\r\n").map(|head| request[head + 4..].to_vec());
            let batch = tracehub_core::wire::ingest::IngestBatch::parse(body.expect("a body")).expect("a valid body");
            assert_eq!(batch.len(), BATCH);
        }
    }
}
