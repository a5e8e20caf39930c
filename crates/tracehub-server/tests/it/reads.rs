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

#[tokio::test]
async fn a_chain_comes_as_calls() {
    let server = Server::start();
    let at = |source: &str, host: &str, suffix: &str, direction: &str, timestamp: f64| {
        let mut at = entry("c", timestamp, suffix, direction);
        (at["source_id"], at["hostname"]) = (source.into(), host.into());
        at
    };
    server
        .ingest(&[
            at("MA", "web", "1", "->", 1_000.0),
            at("WK", "db", "2", "->", 9_000.0),
            at("WK", "db", "note", "!", 9_010.0),
            at("WK", "db", "2", "<-", 9_050.0),
            at("MA", "web", "1", "<-", 1_090.0),
            at("WK", "db", "3", "->", 9_060.0),
        ])
        .await;
    let (status, answer) = server.get("/traces/c/calls").await;
    assert_eq!((status, &answer["complete"], &answer["count"]), (200, &false.into(), &6.into()), "{answer}");
    let calls = answer["calls"].as_array().unwrap();
    let drawn: Vec<_> =
        calls.iter().map(|call| (call["depth"].as_u64().unwrap(), call["status"].as_str().unwrap())).collect();
    assert_eq!(drawn, [(0, "finished"), (1, "finished"), (1, "unfinished")]);
    // 50 of 90 ms: 20 on the way there. The entries are named by their places in the chain as it was logged.
    assert_eq!(
        (&calls[1]["start"], &calls[1]["enter"], &calls[1]["marks"]),
        (&1_020.0.into(), &2.into(), &[3].as_slice().into())
    );
    assert_eq!(answer["skew"], serde_json::json!([{"hostname": "db", "offset_ms": -7980.0}]));
    let (_, as_logged) = server.get("/traces/c/calls?skew=off").await;
    assert_eq!((&as_logged["skew"], &as_logged["duration_ms"]), (&serde_json::json!([]), &8_060.0.into()));
    assert_eq!(server.get("/traces/c/calls?skew=maybe").await.0, 422);
    let (_, nobody) = server.get("/traces/nobody/calls").await;
    assert_eq!((&nobody["count"], &nobody["start"]), (&0.into(), &Value::Null));
}

#[tokio::test]
async fn two_chains_are_compared() {
    let server = Server::start();
    for (chain, end) in [("good", 10.0), ("slow", 250.0)] {
        server.ingest(&[entry(chain, 0.0, "1", "->"), entry(chain, end, "1", "<-")]).await;
    }
    server.ingest(&[entry("slow", 300.0, "2", "->")]).await;
    let (status, answer) = server.get("/compare?a=good&b=slow").await;
    assert_eq!((status, &answer["missing"], &answer["added"]), (200, &0.into(), &1.into()), "{answer}");
    assert_eq!((&answer["calls"][0]["slower_ms"], &answer["calls"][1]["a"]), (&240.0.into(), &Value::Null));
    let (status, refusal) = server.get("/compare?a=good").await;
    assert_eq!((status, refusal["detail"][0]["loc"][1].as_str()), (422, Some("b")));
}

#[tokio::test]
async fn the_list_of_chains_is_filtered_and_paged() {
    let server = Server::start();
    let entries: Vec<Value> = (0..10)
        .flat_map(|n| {
            let chain = format!("order-{n}");
            let enter = entry(&chain, f64::from(n), "1", "->");
            let mut leave = entry(&chain, f64::from(n) + 50.0, "1", "<-");
            leave["hostname"] = "db".into();
            // Each third one hangs.
            if n % 3 == 0 { vec![enter] } else { vec![enter, leave] }
        })
        .collect();
    server.ingest(&entries).await;
    let ids = |answer: &Value| -> Vec<String> {
        let chains = answer["correlations"].as_array().unwrap().iter();
        chains.map(|chain| chain["correlation_id"].as_str().unwrap().to_owned()).collect()
    };
    let mut hung = Vec::new();
    let mut cursor = String::new();
    loop {
        let (status, page) = server.get(&format!("/correlations?status=incomplete&limit=3{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        hung.extend(ids(&page));
        let Some(next) = page["next_cursor"].as_i64() else { break };
        cursor = format!("&cursor={next}");
    }
    hung.sort();
    assert_eq!(hung, ["order-0", "order-3", "order-6", "order-9"]);
    let count = async |query: &str| ids(&server.get(&format!("/correlations?{query}")).await.1).len();
    assert_eq!(count("host=db").await, 6);
    assert_eq!(count("host=db&source=MA&endpoint=/api/agents").await, 6);
    assert_eq!(count("host=db&source=WK").await, 0);
    assert_eq!(count("q=order-1").await, 1);
    assert_eq!(count("min_duration_ms=50").await, 6);
    assert_eq!(count("since=0").await, 10);
    assert_eq!(count("since=99999999999999").await, 0);
    // Asked as the original is asked, the answer has the original's keys.
    assert_eq!(server.get("/correlations?limit=2").await.1.get("next_cursor"), None);
    for (query, field) in [("status=maybe", "status"), ("cursor=x", "cursor"), ("min_duration_ms=x", "min_duration_ms")]
    {
        let (status, refusal) = server.get(&format!("/correlations?{query}")).await;
        assert_eq!((status, refusal["detail"][0]["loc"][1].as_str()), (422, Some(field)));
    }
}

#[tokio::test]
async fn the_newest_entries_begin_at_a_time_of_arrival() {
    let server = Server::start();
    // Arrival counts, not what the services' clocks said.
    server.ingest(&[entry("c", 1.0, "1", "->"), entry("c", 9e12, "2", "<-")]).await;
    let last_id = async |query: &str| server.get(&format!("/recent?{query}")).await.1["last_id"].as_i64().unwrap();
    assert_eq!(last_id("limit=0&since=0").await, 0);
    assert_eq!(last_id("limit=0&since=99999999999999").await, 2);
    let (_, all) = server.get("/recent?since=0&limit=1").await;
    assert_eq!((&all["traces"][0]["id"], &all["last_id"]), (&1.into(), &1.into()));
    let (_, rest) = server.get("/recent?since=0&since_id=1").await;
    assert_eq!((&rest["count"], &rest["traces"][0]["id"]), (&1.into(), &2.into()));
    assert_eq!(server.get("/recent?since=yesterday").await.0, 422);
}
