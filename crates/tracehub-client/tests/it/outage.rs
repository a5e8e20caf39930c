//! Outages of the real server, which is killed and started again: nothing is lost and no row is there twice.

use std::time::{Duration, Instant};
use std::{env, thread};

use tracehub_client::{TraceEntry, TraceHubClient, TraceHubQueryClient};

use crate::support::{LONG, RealServer, balanced, runtime};

/// How long the long drill's outage is: this many seconds, or 8.
const OUTAGE_VARIABLE: &str = "TRACEHUB_TEST_OUTAGE_SECONDS";
const PER_MILLISECOND: usize = 1;
/// Chains are short enough to be asked for whole.
const PER_CHAIN: usize = 500;

fn entry(number: usize) -> TraceEntry {
    TraceEntry::builder("MA", chain(number))
        .suffix(number.to_string())
        .operation("REST")
        .endpoint("/api/orders")
        .timestamp(1_706_803_200_123.0 + number as f64)
        .build()
        .expect("the entry keeps the limits")
}

fn chain(number: usize) -> String {
    format!("chain-{}", number / PER_CHAIN)
}

/// Logs at an even pace for so long, and gives the next number.
fn log(client: &TraceHubClient, first: usize, duration: Duration) -> usize {
    let start = Instant::now();
    let mut next = first;
    while start.elapsed() < duration {
        let due =
            first + usize::try_from(start.elapsed().as_millis()).expect("a test is not that long") * PER_MILLISECOND;
        for number in next..due {
            client.send(entry(number)).expect("the disk takes what the server does not");
        }
        next = next.max(due);
        thread::sleep(Duration::from_millis(5));
    }
    balanced(client);
    next
}

#[test]
fn an_outage_of_the_real_server_loses_and_repeats_nothing() {
    let outage = env::var(OUTAGE_VARIABLE).map_or(8, |seconds| seconds.parse().expect("a number of seconds"));
    let folder = tempfile::tempdir().unwrap();
    let mut server = RealServer::start();
    let client =
        TraceHubClient::builder(&server.url()).spool_dir(folder.path()).spool_max_bytes(4 << 30).build().unwrap();
    let mut count = log(&client, 0, Duration::from_secs(1));
    server.kill();
    count = log(&client, count, Duration::from_secs(outage));
    assert!(client.stats().spooled > 0);
    server.start_again();
    count = log(&client, count, Duration::from_secs(2));
    // The client may wait for half a minute before it tries again.
    let report = client.close(4 * LONG);
    assert_eq!((report.delivered, report.spooled, report.dropped, report.pending), (count as u64, 0, 0, 0));
    let query = TraceHubQueryClient::new(&server.url()).unwrap().with_timeout(LONG);
    runtime().block_on(async {
        for first in (0..count).step_by(PER_CHAIN) {
            let chain = query.get_traces(&chain(first), None).await.unwrap();
            let suffixes: Vec<_> = chain.traces.iter().map(|entry| entry.suffix().parse::<usize>().unwrap()).collect();
            assert_eq!(suffixes, (first..count.min(first + PER_CHAIN)).collect::<Vec<_>>());
        }
    });
}
