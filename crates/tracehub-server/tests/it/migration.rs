//! A server started on the file of the original's server: it answers as the original did, whatever came in between.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Server, command, signal};

/// The rows that `fill_original.py` writes before the dull ones: those that become entries, and the one that cannot.
const SPECIAL: (u64, u64) = (9, 1);

/// A folder with a `tracehub.db` of the original, and what it answers for its chains.
fn original(dull_rows: u64) -> (TempDir, Value) {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = manifest.join("../../target/python/bin/python");
    assert!(python.exists(), "the Python original is not installed; `cargo xtask setup` does that");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = std::process::Command::new(python)
        .arg(manifest.join("tests/python/fill_original.py"))
        .arg(folder.path().join("tracehub.db"))
        .arg(dull_rows.to_string())
        .output()
        .expect("the script runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (folder, serde_json::from_slice(&output.stdout).expect("the answers"))
}

/// Starts a server and waits until its log says that it migrates.
fn migrating(folder: &TempDir) -> Child {
    let mut child =
        command(&folder.path().join("tracehub.db")).stderr(Stdio::piped()).spawn().expect("the server starts");
    let mut log = BufReader::new(child.stderr.take().expect("standard error is piped"));
    let mut line = String::new();
    while !line.contains("migrating the database") {
        line.clear();
        assert!(log.read_line(&mut line).expect("the log is text") > 0, "it ended before it migrated");
    }
    child.stderr = Some(log.into_inner());
    child
}

fn exists(folder: &TempDir, name: &str) -> bool {
    folder.path().join(name).exists()
}

async fn entries(server: &Server) -> u64 {
    let (_, listed) = server.get("/correlations?limit=10000").await;
    let listed = listed["correlations"].as_array().expect("a list");
    listed.iter().map(|chain| chain["trace_count"].as_u64().expect("a count")).sum()
}

#[tokio::test]
async fn it_answers_as_the_original_did() {
    let (folder, answers) = original(100);
    let server = Server::start_in(folder, &[]);
    assert_eq!(entries(&server).await, SPECIAL.0 + 100);
    for (chain, expected) in answers.as_object().unwrap() {
        let (status, answer) = server.get(&format!("/traces/{}", chain.replace(' ', "%20"))).await;
        assert_eq!((status, &answer), (200, expected));
    }
    // The original answers 500 for this one.
    let (status, answer) = server.get("/traces/odd").await;
    assert_eq!((status, &answer["count"]), (200, &3.into()));
    assert_eq!(answer["traces"][1]["data"]["migrated_text"], r#"{"n": "\ud800"}"#);
    let set_aside = std::fs::read_to_string(server.folder.path().join("tracehub.db.not-migrated.ndjson")).unwrap();
    assert_eq!(set_aside.lines().count() as u64, SPECIAL.1);
}

#[tokio::test]
async fn killed_while_it_migrates_it_loses_nothing() {
    const ROWS: u64 = 60_000;
    let (folder, _) = original(ROWS);
    for delay in [0, 5, 20, 50, 100, 200, 300, 500] {
        if exists(&folder, "tracehub.db.not-migrated.ndjson") {
            break;
        }
        let mut child = migrating(&folder);
        // The delay is the point of the kill, not a wait for something.
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let server = Server::start_in(folder, &[]);
    assert_eq!(entries(&server).await, SPECIAL.0 + ROWS);
    assert!(exists(&server.folder, "tracehub.db.python-0.1.0.bak"));
    assert!(!exists(&server.folder, "tracehub.db.python-0.1.0.2.bak"));
    assert!(!exists(&server.folder, "tracehub.db.migrating"));
}

#[tokio::test]
async fn asked_to_stop_while_it_migrates_it_leaves_the_file_as_it_was() {
    let (folder, _) = original(60_000);
    let mut child = migrating(&folder);
    signal(&child, "TERM");
    assert!(child.wait().unwrap().success());
    assert!(!exists(&folder, "tracehub.db.migrating") && !exists(&folder, "tracehub.db.python-0.1.0.bak"));
    let old = rusqlite::Connection::open(folder.path().join("tracehub.db")).unwrap();
    let rows: u64 = old.query_row("SELECT count(*) FROM traces", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, SPECIAL.0 + SPECIAL.1 + 60_000);
}
