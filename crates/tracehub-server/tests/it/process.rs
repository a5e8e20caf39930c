//! Start, stop, kill, exit codes: the server as a process.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Server, command, entry};

/// Runs the server where it must refuse to start; gives its exit code and what it said.
fn refused(args: &[&str], database: &std::path::Path) -> (i32, String) {
    let output = command(database).args(args).stdout(Stdio::null()).output().expect("the server runs");
    (output.status.code().expect("an exit code"), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn stopping_answers_what_was_accepted_ends_streams_and_exits_0() {
    let mut server = Server::start();
    let mut stream = server.stream("/traces/c/stream?timeout=300").await;
    let requests: Vec<_> = (0..50_u32)
        .map(|n| {
            server
                .request(reqwest::Method::POST, "/ingest")
                .header("content-type", "application/json")
                .body(json!({ "traces": [entry("c", f64::from(n), "s", "->")] }).to_string())
        })
        .map(|request| tokio::spawn(request.send()))
        .collect();
    let mut stored = 0;
    for (number, request) in requests.into_iter().enumerate() {
        if number == 10 {
            server.terminate();
        }
        if let Ok(response) = request.await.unwrap()
            && response.status() == 200
        {
            stored += 1;
        }
    }
    let mut last = String::new();
    while let Some(event) = stream.event().await {
        last = event;
    }
    assert_eq!(last, "event: shutdown\ndata: {\"type\": \"timeout\"}");
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
    assert!(stored >= 10);
    let folder = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
    let again = Server::start_in(folder, &[]);
    let count = again.get("/traces/c").await.1["count"].as_u64().unwrap();
    assert!(count >= stored, "{count} of {stored} that were acknowledged");
}

#[tokio::test]
async fn what_was_acknowledged_survives_being_killed() {
    let mut folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0_u64;
    for round in 0..10_u32 {
        let server = Server::start_in(folder, &[]);
        assert_eq!(server.get("/traces/c").await.1["count"], json!(acknowledged));
        for n in 0..=round {
            server.ingest(&[entry("c", f64::from(round * 100 + n), "s", "->")]).await;
            acknowledged += 1;
        }
        folder = server.kill();
    }
    let server = Server::start_in(folder, &[]);
    assert_eq!(server.get("/traces/c").await.1["count"], json!(acknowledged));
}

#[tokio::test]
async fn entries_older_than_the_retention_go_at_the_start_and_on_demand() {
    let server = Server::start();
    server.ingest(&[entry("old", 1.0, "a", "->"), entry("old", 2.0, "b", "<-")]).await;
    let folder = server.kill();
    let shift = |hours: i64| {
        let connection = rusqlite::Connection::open(folder.path().join("tracehub.db")).unwrap();
        connection.execute("UPDATE arrivals SET arrived_at = arrived_at - ?1", [hours * 3600]).unwrap();
    };
    shift(23);
    let server = Server::start_in(tempfile::tempdir().unwrap(), &[]);
    assert_eq!(
        server.request(reqwest::Method::DELETE, "/cleanup").send().await.unwrap().text().await.unwrap(),
        r#"{"deleted":0}"#
    );
    drop(server);
    let server = Server::start_in(folder, &[]);
    assert_eq!(server.get("/traces/old").await.1["count"], 2);
    server.ingest(&[entry("new", 1.0, "a", "->")]).await;
    let folder = server.kill();
    let connection = rusqlite::Connection::open(folder.path().join("tracehub.db")).unwrap();
    connection.execute("UPDATE arrivals SET arrived_at = arrived_at - 7200 WHERE first_entry_id = 1", []).unwrap();
    drop(connection);
    let server = Server::start_in(folder, &[]);
    // The clean-up of the start runs beside the first requests; the one asked for here waits for it.
    let (_, answer) = crate::support::answer(server.request(reqwest::Method::DELETE, "/cleanup")).await;
    assert!(answer["deleted"].is_u64(), "{answer}");
    assert_eq!(server.get("/traces/old").await.1["count"], 0);
    assert_eq!(server.get("/traces/new").await.1["count"], 1);
    let (_, listed) = server.get("/correlations").await;
    assert_eq!(listed["count"], 1);
}

#[tokio::test]
async fn a_second_server_on_one_file_says_who_holds_it() {
    let server = Server::start();
    let (code, said) = refused(&[], &server.database());
    assert_eq!(code, 75, "{said}");
    assert!(said.contains("in use by another server (process "), "{said}");
    assert_eq!(server.get("/health").await.0, 200);
}

#[test]
fn bad_settings_are_named_and_have_their_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("tracehub.db");
    for (args, code, part) in [
        (&["--host", "0.0.0.0"][..], 78, "--insecure-no-auth"),
        (&["--host", "no host"], 2, "TRACEHUB_HOST"),
        (&["--port", "65536"], 2, "--port"),
        (&["--retention-hours", "0"], 2, "--retention-hours"),
        (&["--durability", "some"], 2, "full"),
        (&["--log", "a=b=c"], 2, "TRACEHUB_LOG"),
        (&["--db", "/proc/none/tracehub.db"], 73, "/proc/none"),
    ] {
        let (actual, said) = refused(args, &database);
        assert_eq!(actual, code, "{args:?}: {said}");
        assert!(said.contains(part), "{args:?}: {said}");
    }
    std::fs::write(&database, "these are my notes").unwrap();
    let (code, said) = refused(&[], &database);
    assert_eq!(code, 65, "{said}");
    assert!(said.contains("not touched"), "{said}");
    assert_eq!(std::fs::read(&database).unwrap(), b"these are my notes");
}

#[test]
fn a_link_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let treasure = folder.path().join("treasure");
    std::fs::write(&treasure, "dear").unwrap();
    for link in ["tracehub.db", "tracehub.db.lock"] {
        let link = folder.path().join(link);
        std::os::unix::fs::symlink(&treasure, &link).unwrap();
        let (code, said) = refused(&[], &folder.path().join("tracehub.db"));
        assert_eq!(code, 73, "{said}");
        assert!(said.contains("is a symbolic link") && said.contains(link.to_str().unwrap()), "{said}");
        assert_eq!(std::fs::read(&treasure).unwrap(), b"dear");
        std::fs::remove_file(link).unwrap();
    }
}

#[test]
fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = refused(&["--port", &port], &folder.path().join("tracehub.db"));
    assert_eq!(code, 74, "{said}");
    assert!(said.contains(&port), "{said}");
}

#[test]
fn help_shows_each_variable_and_its_default() {
    let output = command(std::path::Path::new("unused")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for (variable, default) in [
        ("TRACEHUB_DB", "/tmp/tracehub.db"),
        ("TRACEHUB_PORT", "8099"),
        ("TRACEHUB_HOST", "127.0.0.1"),
        ("TRACEHUB_RETENTION_HOURS", "24"),
        ("TRACEHUB_DURABILITY", "full"),
        ("TRACEHUB_LOG", "info"),
        ("TRACEHUB_LOG_FORMAT", "pretty"),
        ("TRACEHUB_DRAIN_SECONDS", "0"),
    ] {
        assert!(help.contains(&format!("[env: {variable}")), "{help}");
        assert!(help.contains(&format!("[default: {default}")), "{help}");
    }
}

#[tokio::test]
async fn requests_are_logged_at_debug_on_one_line_each() {
    // What answers are compared with is asked for once in this process, and not of the server whose lines are counted.
    Server::start().get("/health").await;
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start_in(folder, &["--log", "debug"]);
    server.get("/traces/a%0Ab").await;
    server.terminate();
    let (_, log) = server.wait();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("request method=GET")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("status=200") && lines[0].contains("milliseconds="), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_with_overlapping_entries_count_each_once() {
    let server = Server::start();
    let answers = futures_util::future::join_all((0..8_u32).map(|writer| {
        let server = &server;
        async move {
            let mut inserted = 0;
            for batch in 0..20_u32 {
                // Neighbouring writers send half of the same entries.
                let entries: Vec<Value> =
                    (0..20_u32).map(|n| entry("c", f64::from(batch * 1000 + writer * 10 + n), "s", "->")).collect();
                let (_, answer) = server.post("/ingest", json!({ "traces": entries }).to_string()).await;
                assert_eq!(answer["accepted"], 20);
                assert_eq!(answer["inserted"].as_u64().unwrap() + answer["duplicates"].as_u64().unwrap(), 20);
                inserted += answer["inserted"].as_u64().unwrap();
            }
            inserted
        }
    }))
    .await;
    // In each of 20 rounds the writers cover 0..90.
    assert_eq!(answers.iter().sum::<u64>(), 20 * 90);
    assert_eq!(server.get("/traces/c").await.1["count"], 20 * 90);
}

#[tokio::test]
async fn a_backup_of_a_running_server_can_be_served() {
    let server = Server::start();
    let entries: Vec<_> = (0..500_u32).map(|n| entry("c", f64::from(n), "s", "->")).collect();
    server.ingest(&entries).await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("tracehub.db");
    let back_up = || command(&server.database()).arg("backup").arg(&copy).output().unwrap();
    let first = back_up();
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    assert_eq!(back_up().status.code(), Some(73), "it overwrites nothing");
    let restored = Server::start_in(folder, &[]);
    assert_eq!(restored.get("/traces/c").await.1["count"], 500);
}
