//! Other programs that use the database file: those that hold it, those that read and do not stop, those that take it away.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Server, entry};

/// As long as the server waits for another program, and what a busy machine adds to it.
const PATIENCE: Duration = Duration::from_millis(2_000 + 1_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_held_refuses_in_time_and_reads_go_on() {
    let server = Server::start();
    server.ingest(&[entry("before", 1.0, "s", "->")]).await;
    let holder = Connection::open(server.database()).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let started = Instant::now();
    // Some come while others wait.
    let requests = (0..30_u32).map(|number| {
        let server = &server;
        async move {
            tokio::time::sleep(Duration::from_millis(u64::from(number) * 100)).await;
            let asked = Instant::now();
            let body = json!({ "traces": [entry(&format!("c{number}"), 1.0, "s", "->")] }).to_string();
            let request = server.request(reqwest::Method::POST, "/ingest").header("content-type", "application/json");
            let response = request.body(body).send().await.unwrap();
            let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
            let status = response.status().as_u16();
            let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
            (asked.elapsed(), status, answer["error"].clone(), retry_after)
        }
    });
    let reads = async {
        let mut slowest = Duration::ZERO;
        while started.elapsed() < Duration::from_secs(4) {
            let asked = Instant::now();
            assert_eq!(server.get("/traces/before").await.1["count"], 1);
            slowest = slowest.max(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        slowest
    };
    let (answers, slowest_read) = tokio::join!(join_all(requests), reads);
    let slowest = answers.iter().map(|(time, ..)| *time).max().unwrap();
    println!("slowest answer {slowest:?}, slowest read {slowest_read:?}");
    for (_, status, error, retry_after) in &answers {
        assert_eq!((*status, error, retry_after.as_deref()), (503, &json!("storage_busy"), Some("1")));
    }
    assert!(slowest < PATIENCE, "{slowest:?}");
    assert!(slowest_read < Duration::from_millis(1_900), "{slowest_read:?}");
    holder.execute_batch("ROLLBACK").unwrap();
    server.ingest(&[entry("after", 1.0, "s", "->")]).await;
    assert_eq!(server.get("/correlations").await.1["count"], 2, "nothing of what was refused");
    assert_eq!(server.get("/health").await.1["status"], "healthy");
}

/// SQLite's log cannot begin anew while someone reads an old state of it.
#[tokio::test]
async fn a_reader_that_does_not_end_costs_room_and_nothing_else() {
    let server = Server::start_in(tempfile::tempdir().unwrap(), &["--durability", "normal"]);
    server.ingest(&[entry("first", 1.0, "s", "->")]).await;
    let reader = Connection::open(server.database()).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let entries: u32 = reader.query_row("SELECT count(*) FROM entries", [], |row| row.get(0)).unwrap();
    assert_eq!(entries, 1);
    let log_bytes = || std::fs::metadata(server.folder.path().join("tracehub.db-wal")).unwrap().len();
    let text = "x".repeat(100_000);
    let write = async |name: &str, count: u32| {
        for number in 0..count {
            let mut large = entry(name, f64::from(number), "s", "->");
            large["raw_line"] = text.clone().into();
            server.ingest(&[large]).await;
        }
    };
    write("while", 250).await;
    assert!(log_bytes() > 20 << 20, "the log holds what the reader keeps from the file: {}", log_bytes());
    assert_eq!(server.get("/traces/while").await.1["count"], 250);
    let still: u32 = reader.query_row("SELECT count(*) FROM entries", [], |row| row.get(0)).unwrap();
    assert_eq!(still, 1, "it sees what it saw");
    reader.execute_batch("COMMIT").unwrap();
    write("after", 250).await;
    assert!(log_bytes() <= 16 << 20, "the log has let go of the room: {}", log_bytes());
    assert_eq!(server.get("/traces/after").await.1["count"], 250);
}

/// What is written to a file without a name is gone with the process.
#[tokio::test]
async fn a_database_that_is_taken_away_refuses_until_it_is_back() {
    for end in ["", "-wal"] {
        let server = Server::start();
        server.ingest(&[entry("before", 1.0, "s", "->")]).await;
        let file = server.folder.path().join(format!("tracehub.db{end}"));
        let elsewhere = server.folder.path().join("elsewhere");
        std::fs::rename(&file, &elsewhere).unwrap();
        // The server looks ten times a second.
        tokio::time::sleep(Duration::from_millis(150)).await;
        let body = json!({ "traces": [entry("after", 1.0, "s", "->")] }).to_string();
        let (status, answer) = server.post("/ingest", body.clone()).await;
        assert_eq!((status, &answer["error"]), (503, &json!("storage_unavailable")), "{end}");
        assert_eq!(server.get("/health").await.1["status"], "degraded");
        std::fs::rename(&elsewhere, &file).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while server.post("/ingest", body.clone()).await.0 != 200 {
            assert!(Instant::now() < deadline, "it is back");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let restarted = Server::start_in(server.kill(), &[]);
        assert_eq!(restarted.get("/correlations").await.1["count"], 2, "{end}");
    }
}
