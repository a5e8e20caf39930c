//! Stopped under load: what was answered is there, what is there was answered, and it does not take long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Server, entry};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_answers_all_it_has_stored() {
    let mut server = Server::start();
    let (stopping, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let writers: Vec<_> = (0..8_u32)
        .map(|writer| {
            let request = server.request(reqwest::Method::POST, "/ingest").header("content-type", "application/json");
            let (stopping, answers) = (Arc::clone(&stopping), Arc::clone(&answers));
            tokio::spawn(async move {
                let mut stored = Vec::new();
                for number in 0..100_000_u32 {
                    let chain = format!("w{writer}-{number}");
                    let body = json!({ "traces": [entry(&chain, 1.0, "s", "->")] }).to_string();
                    let request = request.try_clone().expect("a request without a body");
                    match request.body(body).send().await {
                        Ok(response) if response.status() == 200 => {
                            stored.push(chain);
                            answers.fetch_add(1, Ordering::SeqCst);
                        }
                        Ok(response) => assert_eq!(response.status(), 503),
                        Err(_) if stopping.load(Ordering::SeqCst) => break,
                        Err(err) => panic!("refused before the stop: {err}"),
                    }
                }
                stored
            })
        })
        .collect();
    while answers.load(Ordering::SeqCst) < 100 {
        assert!(!writers.iter().any(tokio::task::JoinHandle::is_finished), "nobody is refused before the stop");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let asked = Instant::now();
    stopping.store(true, Ordering::SeqCst);
    server.terminate();
    let (status, log) = server.wait();
    let took = asked.elapsed();
    assert!(status.success(), "{log}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let mut answered = Vec::new();
    for writer in writers {
        answered.extend(writer.await.unwrap());
    }
    println!("{} batches answered, stopped in {took:?}", answered.len());
    let folder = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
    let file = rusqlite::Connection::open(folder.path().join("tracehub.db")).unwrap();
    let mut statement = file.prepare("SELECT correlation_id FROM chains").unwrap();
    let mut stored: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    stored.sort();
    answered.sort();
    assert_eq!(stored, answered);
}
