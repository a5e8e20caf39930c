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

#[tokio::test]
async fn a_stream_of_all_chains_begins_now_and_takes_what_is_wanted() {
    let server = Server::start();
    server.ingest(&[entry("before", 1.0, "a", "->")]).await;
    let mut all = server.stream("/stream").await;
    let mut filtered = server.stream("/stream?correlation_id=ord&source=WK&operation=REST").await;
    let mut worker = entry("order-1", 3.0, "c", "->");
    worker["source_id"] = json!("WK");
    let mut elsewhere = worker.clone();
    elsewhere["correlation_id"] = json!("ticket-1");
    server.ingest(&[entry("order-1", 2.0, "b", "->"), worker, elsewhere]).await;
    server.ingest(&[entry("order-2", 4.0, "d", "->")]).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(all.entry().await.1["suffix"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen, ["b", "c", "c", "d"]);
    assert_eq!(filtered.entry().await.1["correlation_id"], "order-1");
    // Nothing else is on its way: the next that it wants comes next.
    let mut next = entry("orders", 5.0, "e", "<-");
    next["source_id"] = json!("WK");
    server.ingest(&[next]).await;
    assert_eq!(filtered.entry().await.1["suffix"], "e");
}

#[tokio::test]
async fn a_stream_of_all_chains_resumes_over_a_restart() {
    let server = Server::start();
    let entries: Vec<_> = (0..700_u32).map(|n| entry(&format!("c{}", n % 7), f64::from(n), "s", "->")).collect();
    server.ingest(&entries[..600]).await;
    let mut stream = server.stream("/stream?after=0").await;
    let mut last = 0;
    for _ in 0..100 {
        last = stream.entry().await.0;
    }
    let server = Server::start_in(server.kill(), &[]);
    let resumed = server.request(Method::GET, "/stream?timeout=2").header("last-event-id", last.to_string());
    let text = tokio::spawn(async move { resumed.send().await.unwrap().text().await.unwrap() });
    server.ingest(&entries[600..]).await;
    let text = text.await.unwrap();
    let ids: Vec<i64> =
        text.lines().filter_map(|line| line.strip_prefix("id: ")).map(|id| id.parse().unwrap()).collect();
    assert_eq!(ids, (last + 1..=700).collect::<Vec<_>>());
    assert!(text.ends_with("data: {\"type\": \"timeout\"}\n\n"), "{}", &text[text.len() - 100..]);
}

/// Writers at full speed over several chains, readers of all of them that come at any moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_entry_of_any_chain_falls_between_history_and_live() {
    const BATCHES: u32 = 150;
    const BATCH: u32 = 20;
    let server = Server::start();
    let write = async {
        for batch in 0..BATCHES {
            let number = |n| batch * BATCH + n;
            let entries: Vec<_> =
                (0..BATCH).map(|n| entry(&format!("c{}", n % 5), f64::from(number(n)), "s", "->")).collect();
            server.ingest(&entries).await;
        }
    };
    let read = |delay: u64| {
        let server = &server;
        async move {
            tokio::time::sleep(Duration::from_millis(delay)).await;
            let mut stream = server.stream("/stream?after=0").await;
            for expected in 1..=i64::from(BATCHES * BATCH) {
                assert_eq!(stream.entry().await.0, expected);
            }
        }
    };
    let readers = futures_util::future::join_all([0, 5, 20, 60, 120, 250].map(read));
    tokio::join!(write, readers);
}

#[tokio::test]
async fn the_newest_entries_are_given_to_those_who_poll() {
    let server = Server::start();
    let entries: Vec<_> = (0..30_u32)
        .map(|n| {
            let mut entry = entry(&format!("c{n}"), f64::from(n), "s", "->");
            entry["source_id"] = json!(["MA", "WK", "VM"][n as usize % 3]);
            entry
        })
        .collect();
    server.ingest(&entries).await;
    let ids = |answer: &serde_json::Value| {
        answer["traces"].as_array().unwrap().iter().map(|entry| entry["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let (_, newest) = server.get("/recent?limit=3").await;
    assert_eq!((ids(&newest), &newest["count"], &newest["last_id"]), (vec![28, 29, 30], &json!(3), &json!(30)));
    assert_eq!(newest["traces"][0]["correlation_id"], "c27");
    let (_, of_source) = server.get("/recent?limit=2&source=WK").await;
    assert_eq!((ids(&of_source), &of_source["last_id"]), (vec![26, 29], &json!(29)));
    let (_, page) = server.get("/recent?since_id=10&limit=2&source=MA").await;
    assert_eq!((ids(&page), &page["last_id"]), (vec![13, 16], &json!(16)));
    let (_, rest) = server.get("/recent?since_id=28&source=MA").await;
    assert_eq!((ids(&rest), &rest["last_id"]), (vec![], &json!(30)));
    let (_, nobody) = server.get("/recent?source=nobody").await;
    assert_eq!((ids(&nobody), &nobody["last_id"]), (vec![], &json!(30)));
    assert_eq!(server.get("/recent?limit=10001").await.0, 422);
    assert_eq!(server.get("/recent?since_id=-1").await.0, 422);
}

/// Listeners that never read: the server goes on, and lets go of them.
#[tokio::test]
async fn a_stuck_listener_is_cut_off_and_its_descriptor_freed() {
    use std::io::Write as _;
    const STUCK: usize = 20;
    let server = Server::start();
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", server.process())).unwrap().count();
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    server.ingest(&[entry("c", 0.0, "s", "->")]).await;
    let before = descriptors();
    let stuck: Vec<_> = (0..STUCK)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(&address).unwrap();
            stream.write_all(b"GET /traces/c/stream?timeout=600 HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
            stream
        })
        .collect();
    // More than the sockets of both sides hold for each of them.
    let text = "x".repeat(1_000_000);
    for n in 1..20_u32 {
        let mut large = entry("c", f64::from(n), "s", "->");
        large["raw_line"] = json!(text);
        server.ingest(&[large]).await;
    }
    assert!(descriptors() >= before + STUCK);
    let deadline = std::time::Instant::now() + Duration::from_secs(40);
    while descriptors() > before + 2 {
        assert!(std::time::Instant::now() < deadline, "{} descriptors are left", descriptors() - before);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(server.get("/health").await.0, 200);
    drop(stuck);
}

/// Whatever a field holds, it is one event of one line, and comes out as it went in.
#[tokio::test]
async fn nothing_in_an_entry_makes_an_event_of_its_own() {
    let server = Server::start();
    let hostile = "a\n\ndata: {}\r\n\r\nevent: timeout\rid: 9\u{2028}\u{0085}\u{feff}";
    let mut sent = entry("c", 1.0, "s", "->");
    for field in ["source_id", "suffix", "operation", "endpoint", "hostname", "raw_line"] {
        sent[field] = hostile.into();
    }
    sent["data"] = json!({ hostile: hostile });
    server.ingest(&[sent.clone(), entry("c", 2.0, "s", "<-")]).await;
    for path in ["/traces/c/stream?timeout=0", "/stream?after=0&timeout=0"] {
        let mut stream = server.stream(path).await;
        let (id, got) = stream.entry().await;
        assert_eq!(id, 1, "{path}");
        for (field, value) in sent.as_object().unwrap() {
            assert_eq!(&got[field], value, "{path} {field}");
        }
        assert_eq!(stream.entry().await.0, 2, "{path}");
    }
}
