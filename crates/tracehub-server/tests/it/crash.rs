//! Killed at any moment: what was acknowledged is there, what was not is there whole or not at all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Server, entry};

/// How often the server is killed. `TRACEHUB_TEST_KILLS` asks for more.
const ROUNDS: u32 = 50;
const WRITERS: u32 = 4;
const BATCH: u32 = 7;

fn batch(chain: &str) -> String {
    let entries: Vec<Value> = (0..BATCH).map(|n| entry(chain, f64::from(n), "s", "->")).collect();
    json!({ "traces": entries }).to_string()
}

/// Sends batches, each a chain of its own, until the server is gone. Gives those that were answered, and the one that
/// was under way.
async fn write(server: &Server, round: u32, writer: u32) -> (Vec<String>, String) {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let chain = format!("r{round}-w{writer}-{number}");
        let request = server.request(reqwest::Method::POST, "/ingest").header("content-type", "application/json");
        match request.body(batch(&chain)).send().await {
            Ok(response) => assert_eq!(response.status(), 200),
            Err(_) => return (acknowledged, chain),
        }
        acknowledged.push(chain);
    }
    unreachable!("the server is killed before the numbers run out")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_no_batch_is_torn() {
    let rounds = std::env::var("TRACEHUB_TEST_KILLS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    let mut folder = tempfile::tempdir().unwrap();
    let (mut all, mut answered, mut starts) = (0, 0, Vec::new());
    for round in 0..rounds {
        let server = Arc::new(Server::start_in(folder, &[]));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let server = Arc::clone(&server);
                tokio::spawn(async move { write(&server, round, writer).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(fastrand::u64(5..150))).await;
        server.kill_now();
        let mut acknowledged = Vec::new();
        let mut under_way = Vec::new();
        for writer in writers {
            let (chains, last) = writer.await.unwrap();
            acknowledged.extend(chains);
            under_way.push(last);
        }
        folder = Arc::into_inner(server).expect("the writers are gone").kill();

        let started = Instant::now();
        let server = Server::start_in(folder, &[]);
        starts.push(started.elapsed());
        for chain in &acknowledged {
            let (_, found) = server.get(&format!("/traces/{chain}")).await;
            assert_eq!(found["count"], BATCH, "round {round}: {chain} was acknowledged");
        }
        for chain in &under_way {
            let (_, found) = server.get(&format!("/traces/{chain}")).await;
            let stored = found["count"].as_u64().unwrap();
            assert!(stored == 0 || stored == u64::from(BATCH), "round {round}: {stored} entries of {chain}");
            let (_, answer) = server.post("/ingest", batch(chain)).await;
            assert_eq!(answer["duplicates"], stored, "a retry is counted");
            assert_eq!(answer["inserted"], u64::from(BATCH) - stored);
        }
        answered += acknowledged.len();
        all += acknowledged.len() + under_way.len();
        let (_, listed) = server.get("/correlations?limit=10000").await;
        assert_eq!(listed["count"], all.min(10_000), "round {round}");
        folder = server.kill();
    }
    let file = rusqlite::Connection::open(folder.path().join("tracehub.db")).unwrap();
    let check: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    starts.sort();
    let (median, slowest) = (starts[starts.len() / 2], starts[starts.len() - 1]);
    println!(
        "{rounds} kills: {answered} batches were acknowledged and are there, {} were under way and are there whole or not \
         at all; ready again after {median:?}, {slowest:?} at most",
        all - answered
    );
    // Not the slowest: a machine that is busy with other tests may stand still for a moment.
    assert!(median < Duration::from_secs(1), "{median:?}");
}
