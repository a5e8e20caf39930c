//! Room: full disks, files that outgrow their limit, and room that is given back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Server, answer, command, entry};

/// A server on a disk of its own of 24 MB, of which a ballast takes 8.
pub(crate) struct SmallDisk {
    pub(crate) server: Server,
    pub(crate) ballast: PathBuf,
}

impl SmallDisk {
    /// A file system in memory, in a namespace that only the server is in, so that it goes when the server does.
    pub(crate) fn start(min_free_bytes: &str) -> Self {
        const SETUP: &str = r#"mount -t tmpfs -o size=24m tmpfs "$FOLDER" &&
            head -c 8388608 /dev/zero > "$FOLDER/ballast" && exec "$@""#;
        let folder = TempDir::new().expect("a temporary folder");
        let server = command(&folder.path().join("tracehub.db"));
        let mut unshare = Command::new("unshare");
        // Root may mount without being mapped, where others may only when they are.
        let mapped = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).status();
        if mapped.expect("unshare runs").success() {
            unshare.arg("--map-root-user");
        }
        unshare.args(["--mount", "sh", "-c", SETUP, "sh"]);
        unshare.arg(server.get_program()).args(["--min-free-bytes", min_free_bytes, "--durability", "normal"]);
        unshare.env("FOLDER", folder.path());
        for (name, value) in server.get_envs() {
            unshare.env(name, value.unwrap_or_default());
        }
        let ballast = folder.path().join("ballast");
        let server = Server::spawn(folder, &mut unshare);
        let root = PathBuf::from(format!("/proc/{}/root", server.process()));
        Self { ballast: root.join(ballast.strip_prefix("/").expect("an absolute path")), server }
    }

    /// Sends batches of 50 until one is refused; gives how many were taken.
    async fn fill(&self, first: u32) -> (u32, Value) {
        for number in first..5_000 {
            let (status, answer) = self.server.post("/ingest", batch(number)).await;
            if status != 200 {
                assert_eq!(status, 503, "{answer}");
                return (number, answer);
            }
        }
        panic!("the disk did not fill up");
    }

    /// Each batch is a chain: whole if it was taken, not there if it was refused.
    async fn check(&self, taken: u32) {
        for number in (0..taken).step_by(7).chain([taken - 1]) {
            assert_eq!(self.server.get(&format!("/traces/c{number}")).await.1["count"], 50, "batch {number}");
        }
        assert_eq!(self.server.get(&format!("/traces/c{taken}")).await.1["count"], 0);
    }
}

fn batch(number: u32) -> String {
    let text = "x".repeat(500);
    let entries: Vec<Value> = (0..50)
        .map(|n| {
            let mut entry = entry(&format!("c{number}"), f64::from(n), "s", "->");
            entry["data"] = json!({ "text": text });
            entry
        })
        .collect();
    json!({ "traces": entries }).to_string()
}

/// With a floor, ingest ends in time; without one, SQLite itself runs out of room. Both are told and both heal.
#[tokio::test]
async fn a_full_disk_refuses_ingest_answers_reads_and_heals() {
    for min_free_bytes in ["6000000", "0"] {
        let disk = SmallDisk::start(min_free_bytes);
        let (taken, refusal) = disk.fill(0).await;
        assert_eq!((&refusal["error"], &refusal["retry_after"]), (&json!("storage_full"), &json!(30)));
        disk.check(taken).await;
        assert_eq!(disk.server.get("/health").await.0, 200);
        assert_eq!(disk.server.get("/correlations?limit=5").await.1["count"], 5);
        fs::remove_file(&disk.ballast).expect("the ballast goes");
        let resumed = Instant::now();
        // The refused batch is taken now: nothing of it was stored before.
        assert_eq!(disk.server.post("/ingest", batch(taken)).await.1["inserted"], 50);
        assert!(resumed.elapsed() < Duration::from_secs(1));
        let (all, _) = disk.fill(taken + 1).await;
        assert!(all > taken + 50, "the freed room was used: {taken}, {all}");
        disk.check(all).await;
    }
}

#[tokio::test]
async fn a_database_that_outgrows_its_limit_loses_its_oldest() {
    const LIMIT: u64 = 2 << 20;
    let server = Server::start_in(TempDir::new().unwrap(), &["--max-db-bytes", &LIMIT.to_string()]);
    for number in 0..400 {
        assert_eq!(server.post("/ingest", batch(number)).await.0, 200);
    }
    let size = settled_size(&server.database());
    assert!(size <= LIMIT + (1 << 20), "{size}");
    assert_eq!(server.get("/traces/c0").await.1["count"], 0);
    assert_eq!(server.get("/traces/c399").await.1["count"], 50);
    let (_, listed) = server.get("/correlations?limit=1000").await;
    let chains = listed["correlations"].as_array().unwrap();
    assert!(chains.len() > 20 && chains.len() < 100, "{}", chains.len());
    for chain in chains {
        let id = chain["correlation_id"].as_str().unwrap();
        assert_eq!(server.get(&format!("/traces/{id}")).await.1["count"], chain["trace_count"], "{id}");
    }
}

/// A step that deletes a fixed number of entries would take everything where entries are large.
#[tokio::test]
async fn large_entries_go_one_by_one_and_most_of_the_room_stays_in_use() {
    const LIMIT: u64 = 2 << 20;
    let server = Server::start_in(TempDir::new().unwrap(), &["--max-db-bytes", &LIMIT.to_string()]);
    let text = "x".repeat(10_000);
    for number in 0..400_u32 {
        let mut large = entry("large", f64::from(number), "s", "->");
        large["raw_line"] = text.clone().into();
        server.ingest(&[large]).await;
        let stored = server.get("/stats").await.1["stored"]["entries"].as_u64().unwrap();
        assert!(stored >= u64::from(number + 1).min(60), "{stored} of {number}");
    }
    let size = settled_size(&server.database());
    assert!(size <= LIMIT + (1 << 20), "{size}");
}

#[tokio::test]
async fn room_of_what_was_deleted_is_given_back() {
    let server = Server::start();
    let text = "x".repeat(500_000);
    for n in 0..160_u32 {
        let mut huge = entry("huge", f64::from(n), "s", "->");
        huge["raw_line"] = text.clone().into();
        server.ingest(&[huge]).await;
    }
    let full = settled_size(&server.database());
    assert!(full > 70 << 20, "{full}");
    let folder = server.kill();
    let connection = rusqlite::Connection::open(folder.path().join("tracehub.db")).unwrap();
    connection.execute("UPDATE arrivals SET arrived_at = arrived_at - 25 * 3600", []).unwrap();
    drop(connection);
    let server = Server::start_in(folder, &[]);
    answer(server.request(Method::DELETE, "/cleanup")).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while settled_size(&server.database()) > 24 << 20 {
        assert!(Instant::now() < deadline, "the file still has {} bytes", settled_size(&server.database()));
    }
    assert_eq!(server.get("/traces/huge").await.1["count"], 0);
    server.ingest(&[entry("huge", 1.0, "s", "->")]).await;
}

/// The size of a file when it no longer changes.
fn settled_size(path: &Path) -> u64 {
    let mut size = 0;
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let now = fs::metadata(path).expect("the database is there").len();
        if now == size {
            return size;
        }
        size = now;
    }
}

/// `ulimit -f`: without a word, the system ends a program that writes beyond it.
#[tokio::test]
async fn a_limit_on_the_size_of_files_refuses_ingest_and_ends_nothing() {
    const LIMIT: u64 = 12 << 20;
    for min_free_bytes in ["4000000", "0"] {
        let folder = TempDir::new().expect("a temporary folder");
        let server = command(&folder.path().join("tracehub.db"));
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("ulimit -f {} && exec \"$@\"", LIMIT / 1024), "bash"]);
        shell.arg(server.get_program()).args(["--min-free-bytes", min_free_bytes, "--durability", "normal"]);
        for (name, value) in server.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        let server = Server::spawn(folder, &mut shell);
        let mut taken = 0;
        let refusal = loop {
            let (status, answer) = server.post("/ingest", batch(taken)).await;
            if status != 200 {
                break answer;
            }
            taken += 1;
            assert!(taken < 5_000, "the limit was reached");
        };
        assert_eq!(refusal["error"], "storage_full");
        assert!(taken > 50, "{taken}");
        for number in (0..taken).step_by(7).chain([taken - 1]) {
            assert_eq!(server.get(&format!("/traces/c{number}")).await.1["count"], 50, "batch {number}");
        }
        assert_eq!(server.get("/health").await.0, 200);
    }
}
