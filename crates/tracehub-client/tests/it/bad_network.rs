//! The real server behind a bad network: connections are cut in requests and in answers, slowed down, half-closed and
//! swallowed. Whatever arrives is there once, and whatever does not is counted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{env, thread};

use tracehub_client::{Problem, Refused, TraceEntry, TraceHubClient, TraceHubClientBuilder, TraceHubQueryClient};

use crate::support::{Fate, LONG, Proxy, RealServer, balanced, runtime};

/// How many entries are sent in all: this many, or 10,000. Broken connections grow with them, about one for 40.
const ENTRIES_VARIABLE: &str = "TRACEHUB_TEST_BAD_NETWORK_ENTRIES";
const ENTRIES: usize = 10_000;
/// Waits after a broken connection are most of the time; so many clients wait at once.
const CLIENTS: usize = 16;
/// Small, so that there are many requests, and so that it is full while connections are broken.
const CAPACITY: usize = 20;

/// Of so many connections one lasts. The wait after each that breaks is up to twice the one before, so that without an end
/// to bad luck one run in ten would take minutes.
const ONE_LASTS_OF: u32 = 6;
/// Bytes that a full batch has, and some more.
const LASTING: usize = 8_000;

/// What becomes of the connections of one client, by chance.
struct Luck {
    random: fastrand::Rng,
    connections: u32,
}

impl Luck {
    fn next(&mut self) -> Fate {
        self.connections += 1;
        if self.connections.is_multiple_of(ONE_LASTS_OF) {
            return Fate::Delay(Duration::ZERO, LASTING);
        }
        chance(&mut self.random)
    }
}

fn chance(random: &mut fastrand::Rng) -> Fate {
    match random.u8(..100) {
        0..20 => Fate::CutRequest(random.usize(..3_000)),
        20..28 => Fate::ResetRequest(random.usize(..3_000)),
        28..40 => Fate::CutAnswer(random.usize(..600)),
        40..52 => Fate::CutAnswer(0),
        52..54 => Fate::HalfClose(random.usize(..3_000)),
        54 => Fate::TrickleRequest,
        55 => Fate::TrickleAnswer,
        _ => Fate::Delay(Duration::from_millis(random.u64(1..20)), random.usize(1_000..6_000)),
    }
}

fn entry(chain: &str, number: usize) -> TraceEntry {
    let entry = TraceEntry::builder("MA", chain).suffix(number.to_string()).operation("REST").endpoint("/api/orders");
    // Text that does not compress, so that a cut may fall anywhere in a body.
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(80).collect();
    let entry = entry.timestamp(1_706_803_200_123.0 + number as f64).raw_line(noise);
    entry.build().expect("the entry keeps the limits")
}

/// Sends so many entries; where there is no room, it waits for some.
fn send_all(client: &TraceHubClient, chain: &str, count: usize) {
    for number in 0..count {
        let mut waited = Duration::ZERO;
        while let Err(refused) = client.send(entry(chain, number)) {
            assert_eq!(refused, Refused::QueueFull);
            assert!(waited < LONG, "there is room in the end");
            thread::sleep(Duration::from_millis(2));
            waited += Duration::from_millis(2);
        }
        let stats = balanced(client);
        assert!(stats.pending <= CAPACITY as u64, "{stats:?}");
    }
}

/// The suffixes that are stored of a chain, each once.
fn stored(server: &RealServer, chain: &str) -> BTreeSet<usize> {
    let query = TraceHubQueryClient::new(&server.url()).expect("a valid address").with_timeout(LONG);
    let found = runtime().block_on(query.get_traces(chain, None)).expect("the server answers");
    let suffixes: BTreeSet<usize> =
        found.traces.iter().map(|entry| entry.suffix().parse().expect("a number")).collect();
    assert_eq!(suffixes.len(), found.traces.len(), "each row once");
    suffixes
}

/// Runs clients through the bad network, each with a way and a chain of its own; `check` looks at what became of it. Gives
/// how many connections were broken.
fn run(
    seed: u64,
    build: impl Fn(TraceHubClientBuilder) -> TraceHubClientBuilder + Sync,
    check: impl Fn(TraceHubClient, &str, &RealServer) + Sync,
) -> usize {
    let entries = env::var(ENTRIES_VARIABLE).map_or(ENTRIES, |entries| entries.parse().expect("a number of entries"));
    let server = RealServer::start();
    let mut seeds = fastrand::Rng::with_seed(seed);
    let broken = AtomicU64::new(0);
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (server, broken, build, check) = (&server, &broken, &build, &check);
            let mut luck = Luck { random: seeds.fork(), connections: 0 };
            scope.spawn(move || {
                let proxy = Proxy::start(server.address(), move || luck.next());
                let chain = format!("chain-{number}");
                let builder = TraceHubClient::builder(&proxy.url())
                    .queue_capacity(CAPACITY)
                    .timeout(Duration::from_millis(700))
                    .flush_interval(Duration::from_millis(20));
                let client = build(builder).build().expect("the settings are valid");
                send_all(&client, &chain, entries / CLIENTS);
                check(client, &chain, server);
                broken.fetch_add(proxy.broken(), Ordering::SeqCst);
            });
        }
    });
    let broken = usize::try_from(broken.into_inner()).expect("a count");
    assert!(broken >= entries / 100, "{broken} connections were broken: the test tests too little");
    broken
}

#[test]
fn what_is_retried_long_enough_is_there_once() {
    let all = AtomicU64::new(0);
    let broken = run(
        1,
        |builder| builder.retry_count(1_000),
        |client, chain, server| {
            let report = client.close(2 * LONG);
            let stats = balanced(&client);
            assert_eq!((report.delivered, report.dropped, report.pending), (stats.accepted, 0, 0), "{stats:?}");
            assert_eq!(stored(server, chain), (0..usize::try_from(stats.accepted).unwrap()).collect());
            all.fetch_add(stats.refused.queue_full, Ordering::SeqCst);
        },
    );
    println!("everything is there after {broken} broken connections");
    assert!(all.into_inner() > 0, "the queue was full at times");
}

#[test]
fn what_is_given_up_is_counted_and_told() {
    let (told, given_up) = (Arc::new(AtomicU64::new(0)), AtomicU64::new(0));
    let broken = run(
        2,
        |builder| {
            let told = Arc::clone(&told);
            builder.retry_count(1).on_error(move |complaint| {
                if complaint.problem == Problem::Dropped {
                    told.fetch_add(complaint.entries, Ordering::SeqCst);
                }
            })
        },
        |client, chain, server| {
            client.close(LONG);
            let stats = balanced(&client);
            assert_eq!((stats.dropped.total(), stats.pending), (stats.dropped.undelivered, 0), "{stats:?}");
            // What was given up may have arrived, if it was the answer that was lost; nothing else is uncertain.
            let stored = stored(server, chain).len() as u64;
            assert!((stats.delivered..=stats.accepted).contains(&stored), "{stored} of {stats:?}");
            given_up.fetch_add(stats.dropped.total(), Ordering::SeqCst);
        },
    );
    let given_up = given_up.into_inner();
    println!("{given_up} entries were given up and told over {broken} broken connections");
    assert!(given_up > 0, "with one retry, some entries are lost");
    assert_eq!(told.load(Ordering::SeqCst), given_up);
}

#[test]
fn a_body_that_breaks_off_is_sent_again() {
    let server = RealServer::start();
    let connections = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&connections);
    let proxy = Proxy::start(server.address(), move || {
        // Beyond the head, and before the end of the body.
        if counted.fetch_add(1, Ordering::SeqCst) < 3 {
            Fate::HalfClose(1_000)
        } else {
            Fate::Delay(Duration::ZERO, usize::MAX)
        }
    });
    let client = TraceHubClient::builder(&proxy.url()).retry_count(20).build().expect("the settings are valid");
    let entry = TraceEntry::builder("MA", "cut").suffix("0").operation("REST").endpoint("/api/orders");
    client.send(entry.raw_line("x".repeat(2_000)).build().expect("the entry keeps the limits")).expect("there is room");
    client.close(LONG);
    let stats = balanced(&client);
    assert_eq!((stats.delivered, connections.load(Ordering::SeqCst)), (1, 4), "{stats:?}");
    assert_eq!(stored(&server, "cut"), BTreeSet::from([0]));
}

/// A body of all entries takes five times as long as a request may.
#[test]
fn what_is_too_much_for_one_request_arrives_in_parts() {
    const ENTRIES: usize = 100;
    for has_spool in [true, false] {
        let server = RealServer::start();
        // 4 KiB each time.
        let proxy = Proxy::start(server.address(), || Fate::Delay(Duration::from_millis(100), usize::MAX));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let builder = TraceHubClient::builder(&proxy.url()).timeout(Duration::from_secs(1)).retry_count(20);
        let builder = if has_spool { builder.spool_dir(folder.path()) } else { builder };
        let client = builder.batch_size(ENTRIES).build().expect("the settings are valid");
        for number in 0..ENTRIES {
            let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(2_000).collect();
            let entry = TraceEntry::builder("MA", "slow").suffix(number.to_string()).operation("REST").raw_line(noise);
            client.send(entry.build().expect("the entry keeps the limits")).expect("there is room");
        }
        let _ = client.flush(2 * LONG);
        let stats = balanced(&client);
        assert_eq!((stats.delivered, stats.dropped.total()), (ENTRIES as u64, 0), "{has_spool}: {stats:?}");
        assert_eq!(stored(&server, "slow"), (0..ENTRIES).collect(), "{has_spool}");
    }
}
