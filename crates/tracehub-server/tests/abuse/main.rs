//! Abuse in numbers, beside a normal client that must not notice: slow heads, slow bodies, idle connections, large bodies
//! that stand still, streams that nobody reads, gzip bombs, more connections than there may be, more entries than can be
//! stored.
//!
//! Its own program, so that nothing else is at work while it measures. `TRACEHUB_TEST_ABUSE=full`, which
//! `cargo xtask abuse` sets, has each attack at full size and prints the figures.
#![expect(clippy::print_stdout, reason = "figures are what it is for")]
#![expect(clippy::expect_used, reason = "a test helper that fails is a failed test")]

mod attack;
#[path = "../it/description.rs"]
mod description;
mod overload;
mod probe;
#[expect(dead_code, reason = "the other tests use the rest")]
#[path = "../it/raw.rs"]
mod raw;
#[expect(dead_code, reason = "the other tests use the rest")]
#[path = "../it/support.rs"]
mod support;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tempfile::TempDir;

use crate::attack::Attack;
use crate::probe::{Probe, Usage};
use crate::support::Server;

/// What a normal request may take, at the 99th percentile. The suite runs beside others and without optimisation, where
/// only a server that stands still is noticed.
const PATIENCE_MS: f64 = 100.0;
const PATIENCE_OF_THE_SUITE_MS: f64 = 1_000.0;
/// The most memory of a server under any of this.
const MOST_MB: f64 = 200.0;
/// The same under all attacks at once: ten thousand connections beside as many bytes of bodies as may be on their way.
const MOST_OF_ALL_MB: f64 = 300.0;

/// Descriptors that the server takes for itself under way: its readers of the database open when they are needed.
const OWN_DESCRIPTORS: usize = 24;

/// One attack at a time: what is measured is the server, not this machine.
static ALONE: Mutex<()> = Mutex::new(());

fn is_full() -> bool {
    std::env::var_os("TRACEHUB_TEST_ABUSE").is_some_and(|size| size == "full")
}

/// As many as the suite has time for, or as many as were promised.
fn size(small: usize, full: usize) -> usize {
    if is_full() { full } else { small }
}

/// A server that leaves syncing to the system: how long this machine's disk takes is not what is measured.
fn start(args: &[&str]) -> Server {
    let args = [&["--durability", "normal"], args].concat();
    Server::start_in(TempDir::new().expect("a temporary folder"), &args)
}

/// Attacks a server in every way at once, with a normal client beside it; checks what that one saw, and that everything
/// comes back.
fn attack(name: &str, server: &Server, attacks: &[(Attack, usize)]) {
    let before = Usage::of(server);
    let alone = Probe::start(server).stop_after(Duration::from_millis(500));
    let probe = Probe::start(server);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let began = Instant::now();
    runtime.block_on(join_all(attacks.iter().map(|(attack, count)| attack.run(server, *count))));
    let took = began.elapsed();
    let seen = probe.stop();
    drop(runtime);
    let descriptors = Usage::wait_for_descriptors(server, before.descriptors + OWN_DESCRIPTORS);
    let after = Usage::of(server);
    let count: usize = attacks.iter().map(|(_, count)| count).sum();
    println!(
        "{name:<34} {count:>6} {:>6.1} s   {:>5} requests  p50 {:>6.2}  p99 {:>6.2}  most {:>6.1} ms   \
         peak {:>5.1} MB, then {:>5.1}   descriptors {} -> {descriptors}",
        took.as_secs_f64(),
        seen.count(),
        seen.milliseconds(0.5),
        seen.milliseconds(0.99),
        seen.milliseconds(1.0),
        after.peak_mb,
        after.resident_mb,
        before.descriptors,
    );
    assert_eq!(seen.failures, Vec::<String>::new(), "{name}");
    // On a machine that is busy with other things a request takes longer, attack or not.
    let most = if is_full() { PATIENCE_MS } else { PATIENCE_OF_THE_SUITE_MS } + 3.0 * alone.milliseconds(0.99);
    assert!(seen.milliseconds(0.99) < most, "{name}: {} ms of {most}", seen.milliseconds(0.99));
    let most_mb = if attacks.len() > 1 { MOST_OF_ALL_MB } else { MOST_MB };
    assert!(after.peak_mb < most_mb, "{name}: {} MB", after.peak_mb);
}

#[test]
fn whoever_lets_others_wait_is_not_noticed() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    attack::raise_the_limit_of_descriptors();
    let attacks = [
        ("slow heads", Attack::SlowHeads, size(200, 1_000)),
        ("slow bodies", Attack::SlowBodies, size(200, 1_000)),
        ("idle connections", Attack::Idle, size(1_000, 10_000)),
        ("large bodies that stand still", Attack::LargeBodies, size(32, 64)),
    ];
    if is_full() {
        for (name, kind, count) in attacks {
            attack(name, &start(&[]), &[(kind, count)]);
        }
    }
    attack("all of these at once", &start(&[]), &attacks.map(|(_, kind, count)| (kind, count)));
}

#[test]
fn streams_that_nobody_reads_are_not_noticed() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    attack::raise_the_limit_of_descriptors();
    attack("streams that nobody reads", &start(&[]), &[(Attack::StuckStreams, size(100, 1_000))]);
}

#[test]
fn fifty_gzip_bombs_at_once_are_defused() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    attack("gzip bombs, 1 MB for 1 GiB", &start(&[]), &[(Attack::Bombs, 50)]);
}

#[test]
fn a_crowd_does_not_hide_how_the_server_is() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    attack::raise_the_limit_of_descriptors();
    // The normal client is one of those within the limit; health is asked for on new connections.
    let server = start(&["--max-connections", "50"]);
    attack("a crowd at the door", &server, &[(Attack::Crowd, size(2_000, 20_000))]);
}

#[test]
fn one_address_has_its_share_of_the_streams_and_no_more() {
    const SHARE: usize = 2_048;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    attack::raise_the_limit_of_descriptors();
    let server = start(&[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut streams = Vec::new();
        for number in 0..SHARE + 2 {
            let mut stream = raw::connect(&server).await;
            let request = b"GET /stream HTTP/1.1\r\nhost: localhost\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut stream, request).await.expect("it is taken");
            let answer = raw::answer(&mut stream).await.expect("an answer");
            assert_eq!(answer.status, if number < SHARE { 200 } else { 503 }, "{answer:?}");
            if answer.status == 503 {
                assert_eq!(answer.body["error"], "too_many_streams");
                assert!(answer.head.contains("retry-after: 1"), "{answer:?}");
            }
            streams.push(stream);
        }
        assert_eq!(server.get("/health").await.0, 200);
        assert_eq!(server.get("/stats").await.1["streams"], SHARE);
    });
}
