//! The log: one line an event in both formats, whatever somebody sends.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::access::SECRET;
use crate::support::{Server, command, entry};

/// Sends whatever could end up in a log, with line breaks and what looks like an event, to a server that logs everything;
/// gives the log.
async fn provoked(format: &str) -> String {
    // The one text of a server's own that may have line breaks, on a system where names of files may.
    let folder = tempfile::Builder::new().prefix("a\n2026-01-01T00:00:00.000000Z ERROR forged: ").tempdir();
    let folder = folder.expect("a temporary folder");
    let mut start = command(&folder.path().join("tracehub.db"));
    start.args(["--log", "trace", "--log-format", format]).env("TRACEHUB_SECRET", SECRET);
    let mut server = Server::spawn(folder, &mut start);
    let forged = "x\n2026-01-01T00:00:00.000000Z ERROR forged: it is all lost\r\nnext\u{85}\u{2028}\u{1b}[2J";
    let mut bad = entry(forged, 1.0, "a", "->");
    bad["source_id"] = json!(forged);
    let bodies = [json!({"traces": [bad]}).to_string(), format!("{{\"traces\": \"{forged}\"}}"), forged.to_owned()];
    for body in bodies {
        let request = server.request(reqwest::Method::POST, "/ingest").header("x-tracehub-secret", SECRET);
        request.header("content-type", "application/json").body(body).send().await.expect("the server answers");
    }
    for path in [
        "/traces/a%0A2026-01-01T00:00:00.000000Z%20ERROR%20forged:%20lost%0D%0Ab",
        "/traces/a%E2%80%A8b/stream?timeout=0",
        "/correlations?q=a%0Ab&limit=%0A",
        "/nowhere%0Aforged",
    ] {
        let request = server.request(reqwest::Method::GET, path).header("x-tracehub-secret", SECRET);
        let request =
            request.header("user-agent", "a\tb").header("last-event-id", "%0Aforged").header("x-request-id", "\u{85}");
        request.send().await.expect("the server answers");
    }
    // What no client of HTTP would send.
    let mut raw = TcpStream::connect(server.url.trim_start_matches("http://")).expect("a connection");
    raw.write_all(b"GET /traces/a\x0b\x0cb HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n c\x0bforged\r\n\r\n")
        .expect("the server reads");
    raw.set_read_timeout(Some(Duration::from_secs(5))).expect("the server reads");
    let _ = raw.read(&mut [0; 512]);
    server.terminate();
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
    assert!(log.len() > 2_000, "everything was logged: {log}");
    log
}

#[tokio::test]
async fn nobody_can_write_lines_of_their_own_into_the_log_for_people() {
    let log = provoked("pretty").await;
    for line in log.split(['\n', '\r', '\x0b', '\x0c', '\u{85}', '\u{2028}']).filter(|line| !line.is_empty()) {
        let level = line.split_whitespace().nth(1).unwrap_or_default();
        assert!(line.starts_with("20") && ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].contains(&level), "{line:?}");
        assert!(!line.starts_with("2026-01-01"), "{line:?}");
    }
    assert!(!log.contains('\u{1b}'), "no terminal, no colours: {log:?}");
}

#[tokio::test]
async fn each_event_of_the_log_for_programs_is_one_json_object_on_one_line() {
    let log = provoked("json").await;
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|err| panic!("{err}: {line:?}"));
        assert!(event["timestamp"].is_string() && event["level"].is_string() && event["target"].is_string(), "{line}");
        assert!(!event["timestamp"].as_str().unwrap().starts_with("2026-01-01"), "{line}");
    }
    assert!(log.contains(r#""message":"stopped""#), "{log}");
}

#[test]
fn the_last_word_has_the_format_of_the_others() {
    let last = |format: &str| {
        let mut start = command(std::path::Path::new("/proc/none\nforged/tracehub.db"));
        let output = start.args(["--log-format", format]).output().unwrap();
        assert_eq!(output.status.code(), Some(73));
        String::from_utf8(output.stderr).unwrap()
    };
    let pretty = last("pretty");
    assert_eq!(pretty.lines().count(), 1, "{pretty}");
    assert!(pretty.starts_with("tracehub-server: ") && pretty.contains(r"none\nforged"), "{pretty}");
    let json = last("json");
    let event: Value = serde_json::from_str(json.trim_end()).unwrap();
    assert_eq!((&event["level"], &event["target"]), (&json!("ERROR"), &json!("tracehub_server")));
    assert!(event["message"].as_str().unwrap().contains("none\nforged"), "{event}");
}

#[test]
fn an_unknown_format_is_named() {
    let output = command(std::path::Path::new("unused")).env("TRACEHUB_LOG_FORMAT", "xml").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--log-format") && said.contains("pretty") && said.contains("json"), "{said}");
}

#[tokio::test]
async fn a_slow_request_is_said_with_its_route_and_without_its_id() {
    let mut server = Server::start();
    let mut slow = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    let head =
        "POST /ingest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n";
    slow.write_all(head.as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    slow.write_all(br#"{"traces":[]}"#).unwrap();
    let mut answer = [0; 512];
    let length = slow.read(&mut answer).unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
    server.terminate();
    let (_, log) = server.wait();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("a slow request")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("WARN") && lines[0].contains("route=\"/ingest\"") && lines[0].contains("status=200"));
}
