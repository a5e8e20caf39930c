//! Disks that refuse, lie or are slow: what clients are told, what is kept, and when the server ends.
//!
//! strace makes single system calls of the real server fail or wait (`-e inject`), counted for each thread; the writer is
//! the only one that writes once the database is there.

use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Server, command, entry};

/// A server with an empty database that was made before, on a disk with these faults.
fn on_faulty_disk(faults: &[&str], args: &[&str]) -> Server {
    let mut first = Server::start();
    first.terminate();
    assert!(first.wait().0.success());
    let folder = std::mem::replace(&mut first.folder, TempDir::new().expect("a temporary folder"));
    let server = command(&folder.path().join("tracehub.db"));
    let mut strace = Command::new("strace");
    // -D: the server is our child, and strace goes when it does.
    strace.args(["-D", "-f", "-o", "/dev/null", "-e", "signal=none"]);
    let calls: Vec<&str> = faults.iter().filter_map(|fault| fault.split(':').next()).collect();
    strace.arg("-e").arg(format!("trace={}", calls.join(",")));
    for fault in faults {
        strace.arg("-e").arg(format!("inject={fault}"));
    }
    strace.arg(server.get_program()).args(args).env_clear();
    for (name, value) in server.get_envs() {
        strace.env(name, value.unwrap_or_default());
    }
    strace.env("PATH", "/usr/bin:/bin");
    Server::spawn(folder, &mut strace)
}

fn chain(number: u32) -> String {
    json!({ "traces": [entry(&format!("c{number}"), 1.0, "s", "->"), entry(&format!("c{number}"), 2.0, "s", "<-")] })
        .to_string()
}

/// Sends chains until one is refused; gives how many were taken, and the refusal.
async fn until_refused(server: &Server) -> (u32, Value) {
    for number in 0..100 {
        let (status, answer) = server.post("/ingest", chain(number)).await;
        if status != 200 {
            assert_eq!(status, 503, "{answer}");
            return (number, answer);
        }
    }
    panic!("the disk did not fail");
}

/// Sends a chain until it is taken; gives how long that took.
async fn until_taken(server: &Server, number: u32) -> Duration {
    let start = Instant::now();
    loop {
        let (status, answer) = server.post("/ingest", chain(number)).await;
        if status == 200 {
            assert_eq!(answer["accepted"], 2);
            return start.elapsed();
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn check(server: &Server, taken: u32) {
    for number in 0..taken {
        assert_eq!(server.get(&format!("/traces/c{number}")).await.1["count"], 2, "chain {number}");
    }
}

async fn health(server: &Server) -> Value {
    server.get("/health").await.1["status"].clone()
}

/// What the disk says once may be right the next time; nothing is written before it was tried.
#[tokio::test]
async fn a_disk_that_refuses_for_a_while_is_told_and_heals() {
    for (fault, code) in [
        ("fsync,fdatasync:error=EIO:when=6", "storage_unavailable"),
        ("pwrite64:error=EIO:when=60..61", "storage_unavailable"),
        ("pwrite64:error=ENOSPC:when=60..61", "storage_full"),
    ] {
        let server = on_faulty_disk(&[fault], &[]);
        let (taken, refusal) = until_refused(&server).await;
        assert!(taken > 0, "{fault}");
        assert_eq!((&refusal["error"], &refusal["retry_after"]), (&json!(code), &json!(30)), "{fault}");
        check(&server, taken).await;
        assert_eq!(server.get(&format!("/traces/c{taken}")).await.1["count"], 0, "{fault}: nothing of it is there");
        until_taken(&server, taken).await;
        assert_eq!(health(&server).await, "healthy");
        let restarted = Server::start_in(server.kill(), &[]);
        check(&restarted, taken + 1).await;
    }
}

/// After a sync that failed, what the system still shows may not be on the disk. So entries are refused unseen until a
/// probe has gone well, and if that fails too, the process ends: the next start reads what is really there.
#[tokio::test]
async fn a_sync_that_fails_twice_ends_the_server_with_its_own_code() {
    let mut server = on_faulty_disk(&["fsync,fdatasync:error=EIO:when=6+"], &[]);
    let (taken, refusal) = until_refused(&server).await;
    assert_eq!(refusal["error"], "storage_unavailable");
    assert_eq!(health(&server).await, "degraded");
    let asked = Instant::now();
    assert_eq!(server.post("/ingest", chain(taken)).await.0, 503);
    assert!(asked.elapsed() < Duration::from_millis(900), "refused without a try: {:?}", asked.elapsed());
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(74), "{log}");
    assert!(log.contains("the disk failed twice"), "{log}");
    let folder = std::mem::replace(&mut server.folder, TempDir::new().unwrap());
    let restarted = Server::start_in(folder, &[]);
    check(&restarted, taken).await;
    let last = restarted.get(&format!("/traces/c{taken}")).await.1["count"].as_u64().unwrap();
    assert!(last == 0 || last == 2, "a batch that was refused is there whole or not at all: {last}");
}

#[tokio::test]
async fn a_file_system_that_turns_read_only_is_told_reads_go_on_and_it_heals() {
    // The second call is how the server asks whether anything may be changed.
    let server = on_faulty_disk(&["pwrite64:error=EROFS:when=60..62", "utimensat:error=EROFS:when=1..3"], &[]);
    let (taken, refusal) = until_refused(&server).await;
    assert_eq!((&refusal["error"], &refusal["retry_after"]), (&json!("storage_readonly"), &json!(30)));
    assert_eq!(server.post("/ingest", chain(taken)).await.1["error"], "storage_readonly");
    assert_eq!(health(&server).await, "degraded");
    let (status, cleaned) = crate::support::answer(server.request(reqwest::Method::DELETE, "/cleanup")).await;
    assert_eq!((status, &cleaned["error"]), (503, &json!("storage_readonly")));
    check(&server, taken).await;
    // Two more probes fail, one a second.
    assert!(until_taken(&server, taken).await > Duration::from_millis(1_200));
    check(&server, taken + 1).await;
}

#[test]
fn a_read_only_file_system_at_the_start_is_named() {
    const SETUP: &str = r#"mount --bind "$FOLDER" "$FOLDER" && mount -o remount,bind,ro "$FOLDER" && exec "$@""#;
    let folder = TempDir::new().unwrap();
    for name in ["new.db", "old.db"] {
        let database = folder.path().join(name);
        if name == "old.db" {
            std::fs::write(&database, "").unwrap();
        }
        let server = command(&database);
        let mut unshare = Command::new("unshare");
        let mapped = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).status();
        if mapped.expect("unshare runs").success() {
            unshare.arg("--map-root-user");
        }
        unshare.args(["--mount", "sh", "-c", SETUP, "sh"]).arg(server.get_program()).env("FOLDER", folder.path());
        for (name, value) in server.get_envs() {
            unshare.env(name, value.unwrap_or_default());
        }
        let output = unshare.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(73), "{said}");
        assert!(said.contains(name) && said.contains("Read-only file system"), "{said}");
    }
}

/// 300 ms for every sync, and far more work than that lets through: memory stays bounded, nobody waits without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_disk_refuses_before_memory_grows() {
    const CLIENTS: u32 = 40;
    const ENTRIES: u32 = 10_000;
    let server = on_faulty_disk(&["fsync,fdatasync:delay_enter=300000"], &[]);
    let batch = |name: &str| {
        let mut body = json!({ "traces": [entry("chain-of-this-batch", 0.5, "s", "->")] }).to_string();
        let one = body[body.find('{').map_or(0, |start| start + 11)..body.len() - 2].to_owned();
        body.truncate(body.len() - 2);
        for number in 1..ENTRIES {
            body.push(',');
            body.push_str(&one.replace("0.5", &number.to_string()));
        }
        body.push_str("]}");
        body.replace("chain-of-this-batch", name)
    };
    let template = batch("chain-of-this-batch");
    let started = Instant::now();
    let clients = (0..CLIENTS).map(|client| {
        let (server, template) = (&server, &template);
        async move {
            let mut answers = Vec::new();
            for number in 0.. {
                if started.elapsed() > Duration::from_secs(5) {
                    break;
                }
                let name = format!("b{client}-{number}");
                let asked = Instant::now();
                let (status, answer) = server.post("/ingest", template.replace("chain-of-this-batch", &name)).await;
                answers.push((name, status, answer["error"].as_str().map(str::to_owned), asked.elapsed()));
                if status != 200 {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
            answers
        }
    });
    let answers: Vec<_> = join_all(clients).await.into_iter().flatten().collect();
    let slowest = answers.iter().map(|(.., time)| *time).max().unwrap();
    let memory = peak_memory(&server);
    let taken: Vec<_> = answers.iter().filter(|(_, status, ..)| *status == 200).collect();
    println!("{} taken, {} refused, slowest {slowest:?}, peak {memory} MiB", taken.len(), answers.len() - taken.len());
    for (name, status, error, _) in &answers {
        assert!(*status == 200 || (*status == 503 && error.as_deref() == Some("overloaded")), "{name}: {status}");
    }
    assert!(!taken.is_empty() && taken.len() < answers.len());
    assert!(slowest < Duration::from_secs(15), "{slowest:?}");
    assert!(memory < 400, "{memory} MiB");
    let (_, listed) = server.get("/correlations?limit=10000").await;
    let stored: Vec<&str> = listed["correlations"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|chain| chain["correlation_id"].as_str())
        .collect();
    assert!(taken.iter().all(|(name, ..)| stored.contains(&name.as_str())));
    assert!(listed["correlations"].as_array().unwrap().iter().all(|chain| chain["trace_count"] == ENTRIES));
    assert_eq!(stored.len(), taken.len(), "what was refused is not stored");
}

/// The most memory that a server has had, in MiB.
fn peak_memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process())).expect("the server is alive");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak of its memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}
