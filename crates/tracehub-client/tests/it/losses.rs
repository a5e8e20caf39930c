//! What goes wrong costs as little as it can, and every loss is counted.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tracehub_client::{FlushOutcome, TraceHubClient};

use crate::support::{LONG, Reply, Server, client, entry, patient_client, send, url_of_nobody};

fn refusal() -> String {
    r#"{"detail":[{"type":"missing","loc":["body","traces",0,"suffix"],"msg":"Field required"}]}"#.to_owned()
}

#[test]
fn one_bad_entry_costs_one_entry() {
    for status in [400, 422] {
        let server = Server::start(move |_, request| {
            if request.suffixes().iter().any(|suffix| suffix == "13") {
                Reply::Status(status, refusal())
            } else {
                Reply::Store
            }
        });
        let client = client(&server);
        send(&client, 20);
        assert_eq!(client.flush(LONG), FlushOutcome::Complete);
        let stats = client.stats();
        assert_eq!((stats.delivered, stats.dropped.rejected, stats.pending), (19, 1, 0));
        let expected: Vec<String> = (0..20).filter(|number| *number != 13).map(|number| number.to_string()).collect();
        assert_eq!(server.stored(), expected, "in order, each once");
        // The server learns of the loss, and nothing counts twice.
        assert_eq!(client.close(LONG).delivered, 19);
        let reports = server.reports();
        assert!(reports.len() == 1 && reports[0].contains(r#""rejected":1"#), "{reports:?}");
    }
}

#[test]
fn a_body_that_is_too_large_is_split() {
    let server =
        Server::start(
            |_, request| {
                if request.suffixes().len() > 3 { Reply::Status(413, String::new()) } else { Reply::Store }
            },
        );
    let client = client(&server);
    send(&client, 20);
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    assert_eq!((client.stats().delivered, server.stored().len()), (20, 20));
}

#[test]
fn a_secret_that_is_refused_is_not_tried_again() {
    for status in [401, 403] {
        let server = Server::start(move |_, _| Reply::Status(status, String::new()));
        let client = patient_client(&server);
        send(&client, 20);
        assert_eq!(client.flush(LONG), FlushOutcome::Complete);
        assert_eq!(client.stats().dropped.unauthorized, 20);
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn answers_of_strangers_are_no_acknowledgement() {
    for (status, body) in [(200, "<html>welcome</html>"), (200, "{}"), (404, ""), (307, ""), (500, "")] {
        let server = Server::start(move |_, _| Reply::Status(status, body.to_owned()));
        let client = patient_client(&server);
        send(&client, 20);
        assert_eq!(client.flush(LONG), FlushOutcome::Complete);
        assert_eq!(client.stats().dropped.unexpected, 20, "{status} {body}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn retries_send_identical_bytes_until_the_server_recovers() {
    let server = Server::start(|number, _| match number {
        0 => Reply::StatusWith(503, "retry-after: 0", String::new()),
        1 => Reply::Disconnect,
        _ => Reply::Store,
    });
    let client = client(&server);
    send(&client, 5);
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    let bodies: Vec<Vec<u8>> = server.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies.len(), 3);
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert_eq!(client.stats().delivered, 5);
}

#[test]
fn a_server_that_is_too_slow_is_tried_again() {
    let server = Server::start(|number, _| if number == 0 { Reply::Hang } else { Reply::Store });
    let client = TraceHubClient::builder(&server.url()).timeout(Duration::from_secs(1)).build().unwrap();
    send(&client, 5);
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    assert_eq!((client.stats().delivered, server.requests().len()), (5, 2));
}

#[test]
fn retry_count_bounds_the_requests() {
    let server = Server::start(|_, _| Reply::Status(503, String::new()));
    let client = TraceHubClient::builder(&server.url()).retry_count(1).build().unwrap();
    send(&client, 5);
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    assert_eq!((client.stats().dropped.undelivered, server.requests().len()), (5, 2));
}

#[test]
fn without_a_server_everything_is_counted_as_undelivered() {
    let client = TraceHubClient::builder(&url_of_nobody()).build().unwrap();
    send(&client, 20);
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    let report = client.close(LONG);
    assert_eq!((report.delivered, report.dropped, report.pending), (0, 20, 0));
    assert_eq!(client.stats().dropped.undelivered, 20);
}

#[test]
fn too_many_bytes_are_refused() {
    let server = Server::start(|_, _| Reply::Hang);
    let client = TraceHubClient::builder(&server.url()).max_bytes(2_000).build().unwrap();
    let refused = (0..20).filter(|number| client.send(entry(&number)).is_err()).count();
    let stats = client.stats();
    assert!(refused > 0);
    assert_eq!((stats.refused.out_of_bytes, stats.accepted), (refused as u64, 20 - refused as u64));
    client.close(Duration::ZERO);
}

#[test]
fn bytes_that_were_delivered_make_room() {
    let server = Server::storing();
    let client = TraceHubClient::builder(&server.url()).max_bytes(2_000).build().unwrap();
    for _ in 0..20 {
        send(&client, 1);
        assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    }
}

/// More is sent than a slow server takes: the bounds hold and each entry is in exactly one count.
#[test]
fn under_overload_the_counts_balance() {
    const SENDERS: usize = 4;
    const EACH: usize = 5_000;
    const CAPACITY: usize = 400;
    let server = Server::start(|_, _| Reply::StoreAfter(Duration::from_millis(5)));
    let client = TraceHubClient::builder(&server.url()).queue_capacity(CAPACITY).build().unwrap();
    let sending = AtomicBool::new(true);
    thread::scope(|scope| {
        let watching = scope.spawn(|| {
            while sending.load(Ordering::SeqCst) {
                let stats = client.stats();
                let counted = stats.delivered + stats.dropped.total() + stats.pending;
                assert_eq!(stats.accepted, counted);
                thread::yield_now();
            }
        });
        let senders: Vec<_> = (0..SENDERS)
            .map(|name| {
                let client = client.clone();
                scope.spawn(move || {
                    for number in 0..EACH {
                        // Refusals are what this test is about; they are counted below.
                        let _ = client.send(entry(&format!("{name}-{number}")));
                        if number % 50 == 0 {
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.join().unwrap();
        }
        sending.store(false, Ordering::SeqCst);
        watching.join().unwrap();
    });
    let pending = client.stats().pending;
    assert!(pending <= CAPACITY as u64, "{pending}");
    let report = client.close(LONG);
    let stats = client.stats();
    assert_eq!(stats.accepted + stats.refused.total(), (SENDERS * EACH) as u64);
    assert!(stats.refused.queue_full > 0);
    assert_eq!((stats.delivered, stats.dropped.total(), stats.pending), (stats.accepted, 0, 0));
    assert_eq!(report.delivered, stats.delivered);
    let stored = server.stored();
    assert_eq!(stored.len() as u64, stats.delivered);
    assert_eq!(stored.iter().collect::<HashSet<_>>().len(), stored.len(), "each once");
}
