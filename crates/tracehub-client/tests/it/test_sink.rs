//! The test sink: what is logged comes out of it as a server would get it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use serde_json::json;
use tracehub_client::{CheckpointLogger, Direction, TestSink};

use crate::support::{LONG, entry};

fn panic_message(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("it must panic");
    panic.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn entries_come_out_as_they_went_in() {
    let (client, sink) = TestSink::new();
    let sent = entry("1");
    client.send(sent.clone()).unwrap();
    let logger = CheckpointLogger::new(client, "MA");
    logger.checkpoint_entry("c2", "REST", "/api/orders", &json!({"items": 3, "token": "hunter2"}));
    let entries = sink.entries();
    assert_eq!(entries[0], sent);
    assert_eq!(entries[1].data(), Some(r#"{"items":3,"token":"[redacted]"}"#));
    assert_eq!((entries[1].source_id(), entries[1].direction()), ("MA", &Direction::Enter));
    assert_eq!(sink.chain("c2"), entries[1..]);
    assert!(sink.chain("c3").is_empty());
}

#[test]
fn entries_are_listed_by_time_however_they_were_batched() {
    let (client, sink) = TestSink::with(|builder| builder.batch_size(1));
    for (suffix, timestamp) in [("late", 3.0), ("early", 1.0), ("middle", 2.0)] {
        let entry = tracehub_client::TraceEntry::builder("MA", "c1").suffix(suffix).timestamp(timestamp).build();
        client.send(entry.unwrap()).unwrap();
        assert!(!sink.entries().is_empty());
    }
    let order: Vec<String> = sink.entries().iter().map(|entry| entry.suffix().to_owned()).collect();
    assert_eq!(order, ["early", "middle", "late"]);
}

#[test]
fn what_was_logged_before_is_forgotten() {
    let (client, sink) = TestSink::new();
    let logger = CheckpointLogger::new(client, "MA");
    logger.checkpoint_entry("c1", "REST", "/", &());
    sink.clear();
    assert!(sink.entries().is_empty());
    logger.checkpoint_entry("c1", "REST", "/", &());
    assert_eq!(sink.clone().entries().len(), 1);
}

#[test]
fn a_refused_request_is_sent_again_or_dropped() {
    let (client, sink) = TestSink::new();
    sink.refuse_next(1);
    client.send(entry("1")).unwrap();
    assert_eq!(sink.chain("c1").len(), 1);
    assert_eq!(client.stats().delivered, 1);

    let (client, sink) = TestSink::with(|builder| builder.retry_count(0));
    sink.refuse_next(1);
    client.send(entry("1")).unwrap();
    assert!(sink.chain("c1").is_empty());
    assert_eq!(client.stats().dropped.undelivered, 1);
}

#[test]
fn balance_is_asserted_and_what_lacks_it_is_named() {
    let (client, sink) = TestSink::new();
    let logger = CheckpointLogger::new(client, "MA");
    sink.assert_balanced();
    drop(logger.scope("c1", "DB", "orders.insert"));
    sink.assert_balanced();
    logger.checkpoint_entry("c1", "REST", "/api/orders", &());
    logger.checkpoint_exit("c2", "REST", "/api/items", &());
    assert_eq!(
        panic_message(|| sink.assert_balanced()),
        "these calls are not balanced:\
         \n  chain \"c1\": MA REST /api/orders was entered and never left\
         \n  chain \"c2\": MA REST /api/items was left and never entered"
    );
}

#[test]
fn a_client_that_cannot_start_is_a_failed_test() {
    let message = panic_message(|| drop(TestSink::with(|builder| builder.batch_size(0))));
    assert!(message.contains("batch_size"), "{message}");
}

#[test]
fn an_empty_url_does_not_switch_it_off_and_a_closed_client_is_read_at_once() {
    let (client, sink) = TestSink::with(|builder| builder.url(""));
    client.send(entry("1")).unwrap();
    let start = Instant::now();
    assert_eq!(client.close(LONG).delivered, 1);
    assert_eq!(sink.entries().len(), 1);
    assert!(start.elapsed() < LONG);
}
