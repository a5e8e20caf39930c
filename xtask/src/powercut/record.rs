//! A server that is watched: half of the requests, killed, started again, the other half, stopped.

use std::fs::{self, File};
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::calls::{self, Call, TRACED};
use super::load::{self, Sent};
use crate::process::{Interrupt, Service, built_program};

/// How long strace may take to write down the rest after the server has ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// What happened, in order.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) calls: Vec<Call>,
    pub(super) sent: Vec<Sent>,
    pub(super) requests: u32,
}

/// Runs the server with a durability and sends it so many requests.
pub(super) fn record(durability: &str, requests: u32, interrupt: &Interrupt) -> Result<Recording> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    // As the server will see it, links resolved.
    let place = folder.path().canonicalize()?;
    let (database, log) = (place.join("database"), place.join("strace.log"));
    fs::create_dir(&database)?;
    let mut recording = Recording { calls: Vec::new(), sent: Vec::new(), requests };
    let half = requests / 2;
    for (batches, end) in [(0..half, End::Killed), (half..requests, End::Stopped)] {
        recording.sent.extend(watch(&database, &log, durability, batches, end, interrupt)?);
        let folder = database.to_str().context("the temporary folder's path is not UTF-8")?;
        calls::read(BufReader::with_capacity(1 << 20, File::open(&log)?), folder, &mut recording.calls)?;
    }
    Ok(recording)
}

#[derive(Debug, Clone, Copy)]
enum End {
    Killed,
    Stopped,
}

fn watch(
    database: &Path,
    log: &Path,
    durability: &str,
    batches: Range<u32>,
    end: End,
    interrupt: &Interrupt,
) -> Result<Vec<Sent>> {
    let (server, file) = (built_program("tracehub-server"), database.join("tracehub.db"));
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path is not UTF-8");
    let (log_path, server, file) = (text(log)?, text(&server)?, text(&file)?);
    // -D: the server is our child, strace a stranger beside it, so that a signal reaches the server itself.
    let arguments = [
        "-D",
        "-f",
        "-xx",
        "-yy",
        "-s",
        "1000000",
        "-e",
        TRACED,
        "-o",
        &log_path,
        &server,
        "--db",
        &file,
        "--port",
        "0",
        "--durability",
        durability,
        "--log",
        "info",
    ];
    let service = Service::start(Path::new("strace"), &arguments, &[], interrupt)
        .context("the server cannot be watched; `cargo xtask setup` installs strace")?;
    let process = service.id();
    let sent = load::send(service.address(), batches)?;
    match end {
        End::Killed => service.kill()?,
        End::Stopped => service.end()?,
    }
    wait_for_end(log, process)?;
    Ok(sent)
}

/// Waits until strace has written down that the process is gone, which it does last.
fn wait_for_end(log: &Path, process: u32) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(4_096)))?;
        let mut end = Vec::new();
        file.read_to_end(&mut end)?;
        if String::from_utf8_lossy(&end).lines().any(|line| says_that_it_ended(line, process)) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    bail!("strace did not say within {PATIENCE:?} that the server had ended")
}

/// Whether a line of strace's says that a process is gone. Small numbers of processes are followed by more than one space.
fn says_that_it_ended(line: &str, process: u32) -> bool {
    let words = line.split_once(' ').filter(|(number, _)| number.parse() == Ok(process));
    words.is_some_and(|(_, rest)| rest.trim_start().starts_with("+++ ") && rest.ends_with(" +++"))
}

#[cfg(test)]
mod tests {
    use super::says_that_it_ended;

    #[test]
    fn the_end_is_noticed_whatever_the_number_of_the_process() {
        assert!(says_that_it_ended("31045 +++ killed by SIGKILL +++", 31_045));
        assert!(says_that_it_ended("412   +++ exited with 0 +++", 412));
        assert!(!says_that_it_ended("4123  +++ exited with 0 +++", 412));
        assert!(!says_that_it_ended("412   fdatasync(9) = 0", 412));
    }
}
