//! Answers of any size.

use reqwest::Method;
use reqwest::header::CONTENT_LENGTH;
use serde_json::Value;

use crate::support::{Server, entry};

#[tokio::test]
async fn a_chain_comes_whole_and_in_order_whatever_its_size() {
    let server = Server::start();
    for (chain, entries) in [("none", 0), ("small", 1_000), ("large", 12_345)] {
        let all: Vec<Value> = (0..entries).map(|n| entry(chain, f64::from(n), "s", "->")).collect();
        for batch in all.chunks(5_000) {
            server.ingest(batch).await;
        }
        let response = server.request(Method::GET, &format!("/traces/{chain}")).send().await.unwrap();
        // A small one has its length; a large one is written while it is read.
        assert_eq!(response.headers().contains_key(CONTENT_LENGTH), entries <= 1_000, "{chain}");
        assert_eq!(response.headers()["content-type"], "application/json");
        let answer: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        let times = answer["traces"].as_array().unwrap().iter().map(|entry| entry["timestamp"].as_f64().unwrap());
        assert!(times.eq((0..entries).map(f64::from)), "{chain}");
        assert_eq!(answer["count"], entries);
        let (_, filtered) = server.get(&format!("/traces/{chain}?since_ts=99.5&source=MA")).await;
        assert_eq!(filtered["count"], (entries - 100).max(0));
        assert_eq!(server.get(&format!("/traces/{chain}?source=nobody")).await.1["count"], 0);
    }
}

#[tokio::test]
async fn entries_of_a_megabyte_each_come_in_parts() {
    let server = Server::start();
    let text = "x".repeat(1_000_000);
    for n in 0..20_u32 {
        let mut huge = entry("huge", f64::from(n), "s", "->");
        huge["raw_line"] = text.clone().into();
        server.ingest(&[huge]).await;
    }
    let (_, answer) = server.get("/traces/huge").await;
    assert_eq!(answer["count"], 20);
    assert!(answer["traces"].as_array().unwrap().iter().all(|entry| entry["raw_line"] == text.as_str()));
}
