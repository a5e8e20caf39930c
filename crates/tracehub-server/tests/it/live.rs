//! The stream of one chain: history, live, time-out; nothing lost, nothing twice.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::{Server, entry};

#[tokio::test]
async fn history_then_live_then_the_time_out() {
    let server = Server::start();
    server.ingest(&[entry("c", 1.0, "a", "->"), entry("other", 1.0, "x", "->")]).await;
    let mut stream = server.stream("/traces/c/stream?timeout=2").await;
    let (first, history) = stream.entry().await;
    assert_eq!(history["suffix"], "a");
    server.ingest(&[entry("other", 2.0, "y", "->"), entry("c", 2.0, "b", "<-")]).await;
    let (second, live) = stream.entry().await;
    assert_eq!(live["suffix"], "b");
    assert!(second > first);
    let mut last = String::new();
    while let Some(block) = stream.block().await {
        last = block;
    }
    assert_eq!(last, r#"data: {"type": "timeout"}"#);
}

#[tokio::test]
async fn the_answer_starts_before_there_is_anything() {
    let server = Server::start();
    let opened = tokio::time::timeout(Duration::from_millis(900), server.stream("/traces/none/stream?timeout=5")).await;
    let mut stream = opened.expect("headers at once");
    server.ingest(&[entry("none", 1.0, "a", "->")]).await;
    assert_eq!(stream.entry().await.1["suffix"], "a");
}

#[tokio::test]
async fn duplicates_are_not_sent_again() {
    let server = Server::start();
    let mut stream = server.stream("/traces/c/stream?timeout=5").await;
    let once = entry("c", 1.0, "a", "->");
    server.ingest(std::slice::from_ref(&once)).await;
    let again = json!({ "traces": [once, entry("c", 2.0, "b", "<-")] }).to_string();
    assert_eq!(server.post("/ingest", again).await.1["duplicates"], 1);
    assert_eq!(stream.entry().await.1["suffix"], "a");
    assert_eq!(stream.entry().await.1["suffix"], "b");
}

#[tokio::test]
async fn a_stream_resumes_after_the_last_id() {
    let server = Server::start();
    let entries: Vec<_> = (0..5_u32).map(|n| entry("c", f64::from(n), &n.to_string(), "->")).collect();
    server.ingest(&entries).await;
    let mut stream = server.stream("/traces/c/stream?timeout=0").await;
    stream.entry().await;
    let (id, _) = stream.entry().await;
    for resumed in [
        server.request(Method::GET, "/traces/c/stream?timeout=0").header("last-event-id", id.to_string()),
        server.request(Method::GET, &format!("/traces/c/stream?timeout=0&after={id}")),
    ] {
        let text = resumed.send().await.unwrap().text().await.unwrap();
        assert_eq!(text.matches("id: ").count(), 3, "{text}");
        assert!(text.contains(r#""suffix":"2""#) && !text.contains(r#""suffix":"1""#));
    }
}

/// Writers at full speed, readers that come at any moment: each sees every entry once, in order of commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_entry_falls_between_history_and_live() {
    const BATCHES: u32 = 150;
    const BATCH: u32 = 20;
    let server = Server::start();
    let write = async {
        for batch in 0..BATCHES {
            let entries: Vec<_> = (0..BATCH).map(|n| entry("c", f64::from(batch * BATCH + n), "s", "->")).collect();
            server.ingest(&entries).await;
        }
    };
    let read = |delay: u64| {
        let server = &server;
        async move {
            tokio::time::sleep(Duration::from_millis(delay)).await;
            let mut stream = server.stream("/traces/c/stream?timeout=30").await;
            let mut last_id = 0;
            let mut seen = Vec::new();
            while seen.len() < (BATCHES * BATCH) as usize {
                let (id, entry) = stream.entry().await;
                assert!(id > last_id, "ids grow");
                last_id = id;
                seen.push(entry["timestamp"].as_f64().unwrap());
            }
            assert!(seen.is_sorted_by(|a, b| a < b), "each once, in order");
        }
    };
    let readers = futures_util::future::join_all([0, 5, 20, 60, 120, 250].map(read));
    tokio::join!(write, readers);
}

#[tokio::test]
async fn a_reader_that_falls_behind_misses_nothing() {
    let server = Server::start();
    let mut stream = server.stream("/traces/c/stream?timeout=60").await;
    // Far more than the sockets and the hub hold for one reader who does not read.
    let text = "x".repeat(100_000);
    for n in 0..150_u32 {
        let mut large = entry("c", f64::from(n), "s", "->");
        large["raw_line"] = json!(text);
        server.ingest(&[large]).await;
    }
    for n in 0..150_u32 {
        assert_eq!(stream.entry().await.1["timestamp"], f64::from(n));
    }
}
