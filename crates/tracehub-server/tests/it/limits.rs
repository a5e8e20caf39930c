//! Limits on who comes and how often: connections, and entries of one address.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::access::client;
use crate::raw::{answer, connect, ends};
use crate::support::{Server, entry};

const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
const STATS: &[u8] = b"GET /stats HTTP/1.1\r\nhost: localhost\r\n\r\n";

#[tokio::test]
async fn beyond_the_limit_of_connections_only_health_is_answered_and_then_nothing() {
    const MOST: usize = 20;
    const RESERVE: usize = 64;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_in(folder, &["--max-connections", &MOST.to_string()]);
    // Each has asked something, so that the server has seen it and lets it be idle.
    let open = async || {
        let mut stream = connect(&server).await;
        stream.write_all(HEALTH).await.unwrap();
        assert_eq!(answer(&mut stream).await.unwrap().status, 200);
        stream
    };
    let mut streams: Vec<TcpStream> = Vec::new();
    for _ in 0..MOST + RESERVE - 1 {
        streams.push(open().await);
    }
    streams[0].write_all(STATS).await.unwrap();
    assert_eq!(answer(&mut streams[0]).await.unwrap().status, 200, "those within the limit go on");
    let mut crowded = open().await;
    crowded.write_all(STATS).await.unwrap();
    let refusal = answer(&mut crowded).await.unwrap();
    assert_eq!((refusal.status, &refusal.body["error"]), (503, &json!("too_many_connections")));
    assert!(refusal.head.contains("retry-after: 1") && refusal.head.contains("connection: close"), "{refusal:?}");
    assert!(ends(&mut crowded).await, "its place comes free");

    streams.push(open().await);
    let mut refused = connect(&server).await;
    let refusal = answer(&mut refused).await.unwrap();
    assert_eq!((refusal.status, &refusal.body["error"]), (503, &json!("too_many_connections")));
    assert!(refusal.head.contains("retry-after: 1"), "{refusal:?}");

    drop(streams);
    // The server sees the ends one after the other.
    let again = async {
        loop {
            let mut stream = connect(&server).await;
            stream.write_all(STATS).await.unwrap();
            if answer(&mut stream).await.is_some_and(|answer| answer.status == 200) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), again).await.expect("there is room again");
}

/// Sends a batch of new entries from an address of its own; gives the status, `error` and `Retry-After`.
async fn send(server: &Server, client: &reqwest::Client, entries: u32, headers: &[(&str, &str)]) -> (u16, Value, u64) {
    static LAST: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let first = LAST.fetch_add(entries, std::sync::atomic::Ordering::Relaxed);
    let entries: Vec<Value> = (first..first + entries).map(|n| entry("c", f64::from(n), "s", "->")).collect();
    let mut request = client.request(Method::POST, format!("{}/ingest", server.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.header("content-type", "application/json").body(json!({ "traces": entries }).to_string());
    let answer = request.send().await.expect("the server answers");
    let status = answer.status().as_u16();
    let retry = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    let body = answer.text().await.expect("the answer is text");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    (status, body["error"].clone(), retry)
}

#[tokio::test]
async fn an_address_that_sends_too_much_waits_and_no_header_helps_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_in(folder, &["--ingest-limit-per-peer", "100"]);
    let (greedy, modest) = (client(), client());
    assert_eq!(send(&server, &greedy, 500, &[]).await.0, 200);
    let (status, error, retry) = send(&server, &greedy, 1, &[]).await;
    assert_eq!((status, error), (429, json!("rate_limited")));
    assert!((3..=5).contains(&retry), "{retry}");
    for number in 0..50 {
        let (name, address) = (format!("client-{number}"), format!("10.0.0.{number}"));
        let headers = [("x-tracehub-client", &*name), ("x-forwarded-for", &*address), ("forwarded", &*address)];
        assert_eq!(send(&server, &greedy, 1, &headers).await.0, 429);
    }
    assert_eq!(send(&server, &modest, 50, &[]).await.0, 200, "another address is not harmed");
    let refused = server.get("/stats").await.1["since_start"]["refused_requests"].clone();
    assert_eq!(refused, 51);
    tokio::time::sleep(std::time::Duration::from_secs(retry)).await;
    assert_eq!(send(&server, &greedy, 1, &[]).await.0, 200, "it waited as long as it was told");
}

#[tokio::test]
async fn without_a_limit_nobody_waits() {
    let server = Server::start();
    let client = client();
    for _ in 0..5 {
        assert_eq!(send(&server, &client, 2_000, &[]).await.0, 200);
    }
}

#[tokio::test]
async fn a_trusted_proxy_speaks_for_its_callers() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--ingest-limit-per-peer", "100", "--trusted-proxy", "127.0.0.0/8"];
    let server = Server::start_in(folder, &args);
    let proxy = client();
    for caller in ["192.0.2.1", "192.0.2.2"] {
        // What the caller claims stands before what the proxy says of it.
        for (claimed, status) in [("198.51.100.1", 200), ("198.51.100.2", 429)] {
            let header = format!("{claimed}, {caller}");
            let sent = send(&server, &proxy, 300, &[("x-forwarded-for", &header)]).await;
            assert_eq!(sent.0, status, "{header}");
        }
    }
}
