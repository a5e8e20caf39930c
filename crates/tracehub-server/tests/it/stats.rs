//! `GET /stats` counts what happened.

use crate::support::{Server, entry};

#[tokio::test]
async fn stats_count_what_is_stored_what_came_and_who_listens() {
    let server = Server::start();
    let (code, fresh) = server.get("/stats").await;
    assert_eq!(code, 200, "{fresh}");
    assert_eq!((fresh["stored"]["entries"].as_u64(), fresh["stored"]["newest_id"].as_u64()), (Some(0), Some(0)));
    let first = entry("c1", 1.0, "a", "->");
    server.ingest(&[first.clone(), entry("c2", 2.0, "b", "->"), entry("c1", 3.0, "c", "<-")]).await;
    assert_eq!(server.post("/ingest/single", first.to_string()).await.1["inserted"], false);
    assert_eq!(server.post("/ingest", "{\"traces\":[{}]}").await.0, 422);
    assert_eq!(server.post("/ingest", "x").await.0, 422);
    let unlabelled = server.request(reqwest::Method::POST, "/ingest").body("{}").send().await.unwrap();
    assert_eq!(unlabelled.status(), 415);
    let mut stream = server.stream("/traces/c1/stream").await;
    stream.entry().await;
    let (_, stats) = server.get("/stats").await;
    assert_eq!(stats["version"], env!("CARGO_PKG_VERSION"));
    assert!(stats["uptime_seconds"].as_f64().unwrap() > fresh["uptime_seconds"].as_f64().unwrap());
    let stored = &stats["stored"];
    assert_eq!(
        (&stored["entries"], &stored["chains_at_most"], &stored["newest_id"]),
        (&3.into(), &2.into(), &3.into())
    );
    assert!(stored["database_bytes"].as_u64().unwrap() > 0 && stored["wal_bytes"].as_u64().is_some());
    assert_eq!(stats["queue"], serde_json::json!({"entries": 0, "bytes": 0}));
    assert_eq!(stats["streams"], 1);
    assert_eq!(stats["since_start"], serde_json::json!({"inserted": 3, "duplicates": 1, "refused_requests": 3}));
    assert_eq!(server.request(reqwest::Method::DELETE, "/stats").send().await.unwrap().status(), 405);
}
