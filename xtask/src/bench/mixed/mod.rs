//! What `cargo xtask soak` does: everything at once against a server that deletes, for what grows and leaks; then the same
//! over restarts, for what is lost. `crowd` are the clients, `ledger` remembers what was acknowledged, `watch` looks at
//! the process and its log.

mod crowd;
mod ledger;
mod listeners;
mod watch;

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

use self::crowd::Tally;
use self::ledger::Ledger;
use self::watch::{Growth, LogSize};
use super::measure::percentile;
use crate::process::{Interrupt, Service, root};

/// Bytes that the database may hold: some seconds' entries, so that deletion is always at work after that.
const MAX_DB_BYTES: u64 = 12 << 20;
/// How long a server lives in the second part; less if that part is short, so that there are some lives.
const LIFE: Duration = Duration::from_secs(12);
const MIN_LIVES: u32 = 4;
/// What the log may take. It is made to stay far below; a reader that pins it would show here.
const MAX_LOG_MB: f64 = 64.0;
/// How fast memory may grow, over minutes.
const MAX_GROWTH_MB: f64 = 1.0;
/// A shorter measurement says nothing about growth: caches are still filling.
const MIN_MEASURED: Duration = Duration::from_mins(3);

/// Where and on what the server runs, one life after the other.
#[derive(Debug)]
struct Site<'a> {
    database: &'a Path,
    port: u16,
    interrupt: &'a Interrupt,
}

impl Site<'_> {
    fn start(&self) -> Result<Service> {
        let program = root().join("target/release/tracehub-server");
        let (database, port) = (self.database.to_string_lossy(), self.port.to_string());
        let most = MAX_DB_BYTES.to_string();
        let settings = [("TRACEHUB_PORT", &*port), ("TRACEHUB_DB", &*database), ("TRACEHUB_MAX_DB_BYTES", &*most)];
        Service::start(&program, &[], &settings, self.interrupt)
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// What one part showed.
#[derive(Debug)]
struct Part {
    tally: Tally,
    log_mb: f64,
}

/// Soaks for so many minutes and prints what came of it; a promise that is broken is an error.
pub(crate) fn run(minutes: u64) -> Result<()> {
    let interrupt = &Interrupt::listen()?;
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let database = &folder.path().join("tracehub.db");
    // Taken once and given back at once: the server must come back at the address that its clients know.
    let port = TcpListener::bind("127.0.0.1:0").context("no free port")?.local_addr()?.port();
    let site = Site { database, port, interrupt };
    let whole = Duration::from_mins(minutes);
    let steady = whole * 7 / 10;
    let ledger = Ledger::default();

    eprintln!("everything at once for {} s, without a restart", steady.as_secs());
    let server = site.start()?;
    watch::warm_up(&site.address())?;
    let descriptors_before = watch::descriptors(server.id())?;
    let mut growth = Growth::new(steady);
    let first = part(&site, &ledger, steady, || growth.look(server.id()))?;
    let leaked = watch::leaked_descriptors(server.id(), descriptors_before, interrupt)?;

    let life_time = LIFE.min((whole - steady) / MIN_LIVES);
    eprintln!("the same for {} s, with SIGTERM and kill -9 every {life_time:?}", (whole - steady).as_secs());
    let mut life = Some((server, Instant::now()));
    let (mut stops, mut kills) = (0_u32, 0_u32);
    let second = part(&site, &ledger, whole - steady, || {
        if life.as_ref().is_some_and(|(_, since)| since.elapsed() < life_time) {
            return Ok(());
        }
        if let Some((server, _)) = life.take() {
            if kills < stops {
                server.kill()?;
                kills += 1;
            } else {
                server.end()?;
                stops += 1;
            }
        }
        life = Some((site.start()?, Instant::now()));
        Ok(())
    })?;
    let lost_at_last = ledger.check_survivors(&site.address(), interrupt)?;
    let deleted = ledger.deleted(&site.address())?;
    if let Some((server, _)) = life {
        server.end()?;
    }

    let Part { tally: steady, log_mb } = first;
    let mut report = Report::default();
    let all = [&steady, &second.tally];
    let sum = |of: fn(&Tally) -> u64| all.iter().map(|tally| of(tally)).sum::<u64>() as f64;
    report.line("entries acknowledged", sum(|tally| tally.entries));
    report.line("names of chains and sources, each new", ledger.names() as f64);
    report.line("entries deleted because the database was full", deleted as f64);
    report.line("restarts with SIGTERM", f64::from(stops));
    report.line("restarts with kill -9", f64::from(kills));
    report.line("requests sent again", sum(|tally| tally.retried));
    report.line("entries that were found stored then", sum(|tally| tally.duplicates));
    report.line("events heard", sum(|tally| tally.heard));
    report.line("connections of listeners", sum(|tally| tally.connections));
    report.line("stuck listeners that were cut off", sum(|tally| tally.cut_off));
    report.times("ingest", &steady.ingest_times);
    report.times("reads", &steady.read_times);
    report.line("batches read back in the end only", sum(|tally| tally.late));
    report.line("memory at most, MB", growth.most());
    report.judge("acknowledged, not there two seconds later", sum(|tally| tally.missing), 0.0);
    report.judge("acknowledged, younger than what is left, not there at the end", lost_at_last as f64, 0.0);
    report.judge("events left out or repeated", sum(|tally| tally.broken), 0.0);
    report.judge("requests refused, batches stored in part", sum(|tally| tally.refused), 0.0);
    report.judge("descriptors leaked", leaked as f64, 0.0);
    report.judge("log of the database at most, MB", log_mb.max(second.log_mb), MAX_LOG_MB);
    if growth.measured() >= MIN_MEASURED {
        report.judge("growth of memory after the warm-up, MB a minute", growth.slope(), MAX_GROWTH_MB);
    } else {
        report.line("growth of memory, MB a minute (too short to judge)", growth.slope());
    }
    // A soak that deleted nothing and broke no connection would prove nothing.
    ensure!(deleted > 0 && sum(|tally| tally.heard) > 0.0 && kills > 0, "the soak was too short to show anything");
    report.end()
}

/// Runs the crowd for so long; `each_moment` is called a few times a second meanwhile.
fn part(
    site: &Site<'_>,
    ledger: &Ledger,
    length: Duration,
    mut each_moment: impl FnMut() -> Result<()>,
) -> Result<Part> {
    let (start, stop) = (Instant::now(), AtomicBool::new(false));
    let mut log = LogSize::of(site.database);
    let (tally, outcome) = std::thread::scope(|scope| {
        let crowd = scope.spawn(|| crowd::run(&site.address(), ledger, &stop));
        let mut outcome = Ok(());
        while outcome.is_ok() && start.elapsed() < length && !crowd.is_finished() {
            outcome = site.interrupt.wait(Duration::from_millis(200)).and_then(|()| each_moment());
            log.look();
        }
        stop.store(true, Ordering::Relaxed);
        (crowd.join(), outcome)
    });
    outcome?;
    Ok(Part { tally: tally.map_err(|_| anyhow!("a client's thread panicked"))??, log_mb: log.most_mb() })
}

/// Figures, and which of them break a promise.
#[derive(Debug, Default)]
struct Report {
    broken: Vec<String>,
}

impl Report {
    fn line(&self, name: &str, value: f64) {
        println!("{name:<66} {value:>12.2}");
    }

    fn times(&self, name: &str, times: &[f64]) {
        let mut times = times.to_vec();
        times.sort_by(f64::total_cmp);
        self.line(&format!("{name}, requests without a restart"), times.len() as f64);
        self.line(&format!("{name}, p50, ms"), percentile(&times, 0.5));
        self.line(&format!("{name}, p99, ms"), percentile(&times, 0.99));
    }

    fn judge(&mut self, name: &str, value: f64, most: f64) {
        let word = if value <= most { "ok" } else { "BROKEN" };
        println!("{name:<66} {value:>12.2}   <= {most}  {word}");
        if value > most {
            self.broken.push(name.to_owned());
        }
    }

    fn end(self) -> Result<()> {
        if self.broken.is_empty() {
            return Ok(());
        }
        bail!("broken: {}", self.broken.join("; "))
    }
}
