//! Flush, close and drop: what they promise while the server is healthy, and that their deadlines hold when it hangs.

use std::thread;
use std::time::{Duration, Instant};

use tracehub_client::{FlushOutcome, TraceHubClient};

use crate::support::{LONG, Reply, Server, client, entry, send};

/// Far below [`LONG`], far above what a deadline of 100 ms needs on a busy machine.
const SOON: Duration = Duration::from_secs(5);

/// An entry that is counted after it is enqueued can be missed by a flush that runs in between.
#[test]
fn a_flush_misses_nothing_that_was_sent_before_it() {
    let server = Server::storing();
    let client = client(&server);
    thread::scope(|scope| {
        for name in 0..4 {
            let (client, server) = (client.clone(), &server);
            scope.spawn(move || {
                for round in 0..40 {
                    let sent: Vec<String> = (0..3).map(|number| format!("{name}-{round}-{number}")).collect();
                    for suffix in &sent {
                        client.send(entry(suffix.as_str())).unwrap();
                    }
                    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
                    let stored = server.stored();
                    assert!(sent.iter().all(|suffix| stored.contains(suffix)));
                }
            });
        }
    });
    assert_eq!(server.stored().len(), 480);
}

#[test]
fn a_flush_does_not_wait_for_its_interval() {
    let server = Server::storing();
    let client = TraceHubClient::builder(&server.url()).flush_interval(Duration::from_hours(1)).build().unwrap();
    send(&client, 1);
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    assert_eq!(client.flush(Duration::ZERO), FlushOutcome::Complete);
}

#[test]
fn deadlines_hold_while_the_server_hangs() {
    let server = Server::start(|_, _| Reply::Hang);
    let client = client(&server);
    send(&client, 30);
    let start = Instant::now();
    let outcome = client.flush(Duration::from_millis(100));
    assert_eq!(outcome, FlushOutcome::DeadlinePassed { pending: 30 });
    let report = client.close(Duration::from_millis(100));
    assert_eq!((report.delivered, report.dropped, report.pending), (0, 0, 30));
    assert_eq!(client.close(LONG), report, "the first deadline stays");
    assert_eq!(client.flush(LONG), FlushOutcome::DeadlinePassed { pending: 30 });
    drop(client);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[test]
fn dropping_the_last_handle_ends_at_its_deadline() {
    let server = Server::start(|_, _| Reply::Hang);
    let client = TraceHubClient::builder(&server.url()).drop_deadline(Duration::from_millis(100)).build().unwrap();
    send(&client, 30);
    let start = Instant::now();
    drop(client);
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(100) && took < SOON, "{took:?}");
}

#[test]
fn dropping_the_last_handle_loses_nothing() {
    let server = Server::storing();
    let client = client(&server);
    let clone = client.clone();
    send(&client, 3_000);
    drop(client);
    send(&clone, 3_000);
    drop(clone);
    assert_eq!(server.stored().len(), 6_000);
}

#[test]
fn closing_loses_nothing_and_reports_the_same_twice() {
    let server = Server::storing();
    let client = client(&server);
    send(&client, 3_000);
    let report = client.close(LONG);
    assert_eq!((report.delivered, report.dropped, report.pending), (3_000, 0, 0));
    assert_eq!(client.clone().close(Duration::ZERO), report);
    assert_eq!(server.stored().len(), 3_000);
}

#[test]
fn a_close_wakes_those_who_flush() {
    let server = Server::start(|_, _| Reply::Hang);
    let client = client(&server);
    send(&client, 10);
    thread::scope(|scope| {
        let flushing = scope.spawn(|| client.flush(LONG));
        server.wait_for_requests(1);
        let report = client.close(Duration::from_millis(50));
        assert_eq!(report.pending, 10);
        assert_eq!(flushing.join().unwrap(), FlushOutcome::DeadlinePassed { pending: 10 });
    });
}
