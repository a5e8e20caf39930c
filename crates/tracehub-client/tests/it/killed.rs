//! A host that is killed as by `kill -9` loses what it logged in its last moments, and nothing else.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use tracehub_client::TraceHubClient;

use crate::support::{Server, entry, until, url_of_nobody};

/// Where the host's spool is. Set: this is the host.
const FOLDER_VARIABLE: &str = "TRACEHUB_TEST_HOST_SPOOL";
/// What is promised.
const LAST_MOMENTS: Duration = Duration::from_millis(50);
/// The host may wait for a processor or the disk before it gets to what it has promised; on a busy machine that takes a while.
const NOISE: Duration = Duration::from_millis(150);
/// How often it is killed: a pause of the machine in its last moments is not the client's. One of them may take this long.
const KILLS: usize = 4;
const PAUSE: Duration = Duration::from_secs(1);

/// Not a test: the host. It logs 1,000 checkpoints a second until it is killed, and says of each when it has handed it
/// over, in microseconds since its start.
#[test]
fn host() {
    let Some(folder) = env::var_os(FOLDER_VARIABLE) else { return };
    let client = TraceHubClient::builder(&url_of_nobody()).spool_dir(folder).build().unwrap();
    println!();
    let start = Instant::now();
    for number in 0_u64.. {
        client.send(entry(&number)).unwrap();
        println!("{number} {}", start.elapsed().as_micros());
        thread::sleep(Duration::from_millis(number + 1).saturating_sub(start.elapsed()));
    }
}

/// Runs the host for so long after its first entry; gives what it has handed over, and when.
fn run_and_kill(folder: &std::path::Path, duration: Duration) -> Vec<(String, Duration)> {
    let mut host = Command::new(env::current_exe().expect("this program has a path"))
        .args(["--exact", "killed::host", "--nocapture"])
        .env(FOLDER_VARIABLE, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the host starts");
    let stdout = host.stdout.take().expect("standard output is piped");
    let mut stdout = BufReader::new(stdout);
    let mut said = String::new();
    while !said.contains("\n0 ") {
        assert!(stdout.read_line(&mut said).expect("numbers are text") > 0, "the host goes on");
    }
    let reading = thread::spawn(move || {
        stdout.read_to_string(&mut said).expect("numbers are text");
        said
    });
    thread::sleep(duration);
    host.kill().expect("it can be killed");
    host.wait().expect("it ends");
    let said = reading.join().expect("reading ends with the host");
    let handed_over = said.lines().filter_map(|line| {
        let (number, micros) = line.split_once(' ')?;
        number.parse::<u64>().ok()?;
        Some((number.to_owned(), Duration::from_micros(micros.parse().ok()?)))
    });
    handed_over.collect()
}

#[test]
fn a_killed_host_loses_its_last_moments_at_most() {
    let mut lost_in_time = Vec::new();
    for _ in 0..KILLS {
        let folder = tempfile::tempdir().unwrap();
        let handed_over = run_and_kill(folder.path(), Duration::from_millis(fastrand::u64(200..2_000)));
        let (_, end) = handed_over.last().expect("the host has started");
        let server = Server::storing();
        let client = TraceHubClient::builder(&server.url()).spool_dir(folder.path()).build().unwrap();
        until("what was left is sent", || {
            let recovered = client.stats().recovered;
            recovered.found > 0 && recovered.found == recovered.delivered
        });
        client.close(Duration::from_secs(10));
        let stored = server.stored();
        let rows: HashSet<_> = stored.iter().collect();
        assert_eq!(rows.len(), stored.len(), "each once");
        assert!(stored.iter().map(|row| row.parse::<u64>().unwrap()).is_sorted());
        let kept = handed_over.iter().take_while(|(number, _)| rows.contains(number)).count();
        assert!(handed_over[kept..].iter().all(|(number, _)| !rows.contains(number)), "only the last are lost");
        lost_in_time.push(handed_over.get(kept).map_or(Duration::ZERO, |(_, when)| end.saturating_sub(*when)));
        assert_eq!(client.stats().recovered.corrupt_segments, 0);
    }
    lost_in_time.sort_unstable();
    assert!(lost_in_time[KILLS / 2] <= LAST_MOMENTS + NOISE, "{lost_in_time:?}");
    assert!(lost_in_time[KILLS - 1] <= LAST_MOMENTS + NOISE + PAUSE, "{lost_in_time:?}");
}
