//! The way of entries to a healthy server: batches, one connection, the secret; and the client that is disabled.

use std::time::Duration;

use tracehub_client::{BuildError, FlushOutcome, Refused, Stats, TraceHubClient};

use crate::support::{LONG, Server, client, entry, patient_client, send};
#[cfg(feature = "compression")]
use {crate::support::Reply, tracehub_client::TraceEntry, tracehub_core::wire::ingest::IngestBatch};

#[test]
fn entries_arrive_in_order_over_one_connection() {
    let server = Server::storing();
    let client = client(&server);
    for _ in 0..3 {
        send(&client, 25);
        assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    }
    let expected: Vec<String> = (0..3).flat_map(|_| (0..25).map(|number| number.to_string())).collect();
    assert_eq!(server.stored(), expected);
    assert_eq!(server.connections(), 1);
    let stats = client.stats();
    assert_eq!((stats.accepted, stats.delivered, stats.pending), (75, 75, 0));
}

#[test]
fn a_request_is_what_the_original_client_sends() {
    let server = Server::storing();
    let client = client(&server);
    client.send(entry("x7K")).unwrap();
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    let request = &server.requests()[0];
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/ingest"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("x-tracehub-secret"), None);
    assert_eq!(
        String::from_utf8_lossy(&request.body),
        r#"{"traces":[{"source_id":"MA","correlation_id":"c1","timestamp":1706803200123.0,"suffix":"x7K","direction":"->","operation":"REST","endpoint":"/api/orders","data":null,"hostname":"unknown","raw_line":null}]}"#
    );
}

#[test]
fn batch_size_sends_without_a_flush() {
    let server = Server::storing();
    let client =
        TraceHubClient::builder(&server.url()).batch_size(3).flush_interval(Duration::from_hours(1)).build().unwrap();
    send(&client, 3);
    server.wait_for_requests(1);
    assert_eq!(server.requests()[0].suffixes(), ["0", "1", "2"]);
}

#[test]
fn flush_interval_sends_what_is_fewer_than_a_batch() {
    let server = Server::storing();
    let client = TraceHubClient::builder(&server.url()).flush_interval(Duration::from_millis(50)).build().unwrap();
    send(&client, 1);
    server.wait_for_requests(1);
}

#[test]
fn the_secret_is_sent_and_never_shown() {
    let server = Server::storing();
    let builder = TraceHubClient::builder(&server.url()).secret("hunter2");
    assert!(!format!("{builder:?}").contains("hunter2"));
    let client = builder.build().unwrap();
    assert!(!format!("{client:?}").contains("hunter2"));
    send(&client, 1);
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    assert_eq!(server.requests()[0].header("x-tracehub-secret"), Some("hunter2"));
}

#[test]
fn a_prefix_of_the_url_is_kept() {
    let server = Server::storing();
    let client = TraceHubClient::builder(&format!("{}/hub/", server.url())).build().unwrap();
    send(&client, 1);
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    assert_eq!(server.requests()[0].target, "/hub/ingest");
}

#[test]
fn a_disabled_client_takes_everything_and_does_nothing() {
    let client = TraceHubClient::builder("").build().unwrap();
    assert!(!client.is_enabled());
    send(&client, 10);
    assert_eq!(client.flush(Duration::ZERO), FlushOutcome::Complete);
    assert_eq!(client.stats(), Stats::default());
    assert_eq!(client.close(Duration::ZERO).delivered, 0);
}

#[test]
fn a_closed_client_refuses_on_all_its_clones() {
    let server = Server::storing();
    let client = client(&server);
    let clone = client.clone();
    client.close(LONG);
    assert_eq!(clone.send(entry("late")), Err(Refused::Closed));
    assert_eq!((clone.stats().refused.closed, clone.stats().accepted), (1, 0));
}

#[test]
fn a_url_that_cannot_work_is_refused_when_the_client_is_built() {
    for url in ["ftp://hub", "hub:8099", "http://user:pass@hub"] {
        let err = TraceHubClient::builder(url).build().unwrap_err();
        assert!(matches!(err, BuildError::InvalidUrl { .. }), "{url}: {err}");
        assert!(!err.to_string().contains("pass@"), "{err}");
    }
}

/// Answers like a server that takes zstd, or that has stopped to and answers so; `bad` is an entry that it never takes.
#[cfg(feature = "compression")]
fn offering_zstd(refusal: Option<u16>, bad: &'static str) -> Server {
    Server::start(move |_, request| {
        let body = match (request.header("content-encoding"), refusal) {
            (None, _) => request.body.clone(),
            (Some(_), Some(status)) => return Reply::Status(status, String::new()),
            (Some(_), None) => zstd::decode_all(&request.body[..]).expect("the body is zstd"),
        };
        let batch = IngestBatch::parse(body).expect("the body is a batch");
        if batch.entries().any(|entry| entry.suffix == bad) {
            return Reply::Status(422, String::new());
        }
        let count = batch.len();
        let answer = format!(r#"{{"accepted":{count},"inserted":{count},"duplicates":0}}"#);
        Reply::StatusWith(200, "accept-encoding: zstd, gzip", answer)
    })
}

/// Sends entries too large to stay as they are, one request for each of these counts.
#[cfg(feature = "compression")]
fn send_large(server: &Server, counts: &[usize]) -> (Stats, Vec<Option<String>>) {
    let client = patient_client(server);
    for (flush, count) in counts.iter().enumerate() {
        for number in 0..*count {
            let entry = TraceEntry::builder("MA", "c1").suffix(format!("{flush}-{number}")).raw_line("x".repeat(2_000));
            client.send(entry.build().expect("the entry keeps the limits")).expect("there is room");
        }
        assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    }
    let encodings = server.requests().into_iter().map(|request| request.header("content-encoding").map(str::to_owned));
    (client.stats(), encodings.collect())
}

#[cfg(feature = "compression")]
#[test]
fn bodies_are_compressed_once_the_server_takes_it_and_never_again_when_it_does_not() {
    let zstd = Some("zstd".to_owned());
    // Servers that do not know it say that the body is no JSON, or none of theirs.
    for refusal in [None, Some(415), Some(400), Some(422)] {
        let (stats, encodings) = send_large(&offering_zstd(refusal, "none"), &[4, 4, 4]);
        assert_eq!((stats.delivered, stats.dropped.total()), (12, 0), "{refusal:?}");
        let expected = match refusal {
            None => vec![None, zstd.clone(), zstd.clone()],
            Some(_) => vec![None, zstd.clone(), None, None],
        };
        assert_eq!(encodings, expected, "{refusal:?}");
    }
}

#[cfg(feature = "compression")]
#[test]
fn a_bad_entry_does_not_switch_compression_off() {
    let (stats, encodings) = send_large(&offering_zstd(None, "1-0"), &[1, 2, 1]);
    assert_eq!((stats.delivered, stats.dropped.rejected), (3, 1));
    let zstd = Some("zstd".to_owned());
    // The batch and its bad half once more each, in case that it is the compression; then all is as before.
    assert_eq!(encodings, [None, zstd.clone(), None, zstd.clone(), None, zstd.clone(), zstd]);
}
