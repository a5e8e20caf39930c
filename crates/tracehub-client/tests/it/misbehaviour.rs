//! Every way a server can misbehave, with and without a spool: the counts balance at every stage, and every wait ends at
//! its deadline.

use std::thread;
use std::time::{Duration, Instant};

use tracehub_client::{TraceHubClient, TraceHubClientBuilder};

use crate::support::{Reply, Request, Server, balanced, pauses, send, until};

/// What is promised about deadlines.
const LATE: Duration = Duration::from_millis(50);
/// A thread may wait for a processor when its time has come, and other tests keep the processors busy; on top of what the
/// whole machine pauses.
const NOISE: Duration = Duration::from_millis(450);

type Answer = fn(usize, &Request) -> Reply;

/// What becomes of the entries with a spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Sooner or later all are delivered, so none is dropped.
    Kept,
    /// The answer says that sending them again is in vain.
    Dropped,
    /// One of them is bad.
    OneDropped,
}

const REFUSAL: &str = r#"{"detail":[{"type":"missing","loc":["body","traces",0,"suffix"],"msg":"Field required"}]}"#;

const CASES: [(&str, Answer, End); 19] = [
    ("behaves", |_, _| Reply::Store, End::Kept),
    ("is slow", |_, _| Reply::StoreAfter(Duration::from_millis(20)), End::Kept),
    ("hangs", |_, _| Reply::Hang, End::Kept),
    ("closes", |_, _| Reply::Disconnect, End::Kept),
    ("resets", |_, _| Reply::Reset, End::Kept),
    ("resets at times", |number, _| if number % 2 == 0 { Reply::Reset } else { Reply::Store }, End::Kept),
    ("forgets to answer", |_, _| Reply::StoreAndDisconnect, End::Kept),
    ("answers a byte a second", |_, _| Reply::StoreAndTrickle, End::Kept),
    ("is too busy", |_, _| Reply::Status(429, String::new()), End::Kept),
    ("is too busy for a second", |_, _| Reply::StatusWith(429, "retry-after: 1", String::new()), End::Kept),
    ("is overloaded", |_, _| Reply::Status(503, String::new()), End::Kept),
    ("is overloaded for a day", |_, _| Reply::StatusWith(503, "retry-after: 86400", String::new()), End::Kept),
    ("is overloaded for nonsense", |_, _| Reply::StatusWith(503, "retry-after: soon", String::new()), End::Kept),
    ("wants a secret", |_, _| Reply::Status(401, String::new()), End::Dropped),
    ("wants another secret", |_, _| Reply::Status(403, String::new()), End::Dropped),
    ("takes nothing", |_, _| Reply::Status(413, String::new()), End::Dropped),
    ("is not a hub", |_, _| Reply::Status(200, "<html>".to_owned()), End::Dropped),
    ("fails", |_, _| Reply::Status(500, String::new()), End::Dropped),
    (
        "dislikes one",
        |_, request| {
            let is_bad = request.suffixes().iter().any(|suffix| suffix == "13");
            if is_bad { Reply::Status(422, REFUSAL.to_owned()) } else { Reply::Store }
        },
        End::OneDropped,
    ),
];

fn in_time<T>(case: &str, deadline: Duration, wait: impl FnOnce(Duration) -> T) -> T {
    let (start, pauses_before) = (Instant::now(), pauses());
    let outcome = wait(deadline);
    let (took, paused) = (start.elapsed(), pauses().saturating_sub(pauses_before));
    assert!(took <= deadline + LATE + NOISE + paused, "{case}: {took:?} instead of {deadline:?}, {paused:?} of pauses");
    outcome
}

fn builder(server: &Server) -> TraceHubClientBuilder {
    TraceHubClient::builder(&server.url()).timeout(Duration::from_millis(200)).drop_deadline(Duration::ZERO)
}

fn check(case: &str, client: &TraceHubClient, end: End) {
    send(client, 20);
    balanced(client);
    let _ = in_time(case, Duration::from_millis(50), |deadline| client.flush(deadline));
    balanced(client);
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| in_time(case, Duration::from_millis(80), |deadline| client.flush(deadline)));
        }
    });
    balanced(client);
    send(client, 10);
    thread::sleep(Duration::from_millis(100));
    balanced(client);
    let _ = in_time(case, Duration::ZERO, |deadline| client.flush(deadline));
    if end != End::Kept {
        until(case, || balanced(client).pending == 0);
    }
    let report = in_time(case, Duration::from_millis(300), |deadline| client.close(deadline));
    let stats = balanced(client);
    assert_eq!(stats.accepted, 30, "{case}");
    assert!(report.delivered <= stats.delivered);
}

#[test]
fn without_a_spool_every_entry_is_counted_and_every_wait_ends() {
    for (case, answer, end) in CASES {
        let server = Server::start(answer);
        let client = builder(&server).build().unwrap();
        check(case, &client, end);
        let stats = client.stats();
        assert_eq!(stats.spooled, 0, "{case}");
        match end {
            End::Kept => assert_eq!(stats.dropped.total(), stats.dropped.undelivered, "{case}: {stats:?}"),
            End::Dropped => assert_eq!(stats.dropped.total(), 30, "{case}: {stats:?}"),
            End::OneDropped => assert_eq!((stats.dropped.rejected, stats.delivered), (1, 29), "{case}: {stats:?}"),
        }
    }
}

#[test]
fn with_a_spool_nothing_is_lost_that_can_be_kept() {
    for (case, answer, end) in CASES {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(answer);
        let client = builder(&server).spool_dir(folder.path()).build().unwrap();
        check(case, &client, end);
        until(case, || balanced(&client).pending == 0);
        let stats = client.stats();
        match end {
            End::Kept => assert_eq!(stats.delivered + stats.spooled, 30, "{case}: {stats:?}"),
            End::Dropped => assert_eq!(stats.dropped.total() + stats.spooled, 30, "{case}: {stats:?}"),
            End::OneDropped => assert_eq!((stats.dropped.rejected, stats.delivered), (1, 29), "{case}: {stats:?}"),
        }
    }
}
