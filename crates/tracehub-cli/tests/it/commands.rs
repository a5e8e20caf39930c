//! What each command shows, for people and for programs.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::support::{Server, chain, cli, entry, run};

const LIST: &str = r#"{"correlations":[{"correlation_id":"c1","trace_count":2,"first_ts":1706803200123.0,"last_ts":1706803200164.0,"duration_ms":41,"sources":["MA"],"complete":true}],"count":1}"#;

#[test]
fn correlations_as_a_table_and_as_the_servers_json() {
    let server = Server::json("/correlations", 200, LIST);
    let (code, out, err) = run(&server.url, &["correlations", "--limit", "7"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        out,
        "CORRELATION ID  ENTRIES  FIRST                    DURATION  SOURCES  COMPLETE\n\
         c1                    2  2024-02-01 16:00:00.123     41 ms  MA       yes\n"
    );
    assert!(server.seen.lock().unwrap()[0].contains("limit=7"));
    assert_eq!(run(&server.url, &["correlations", "-o", "json"]).1, format!("{LIST}\n"));
}

#[test]
fn an_empty_list_is_said() {
    let server = Server::json("/correlations", 200, r#"{"correlations":[],"count":0}"#);
    assert_eq!(run(&server.url, &["correlations"]).1, "no chains yet\n");
}

#[test]
fn show_draws_calls_and_gives_the_servers_json() {
    let whole = chain(&[entry("->", "a", 1_706_803_200_000.0), entry("<-", "b", 1_706_803_200_041.0)], true);
    let server = Server::json("/traces/c1", 200, &whole);
    let (code, out, _) = run(&server.url, &["show", "c1", "--source", "MA"]);
    assert_eq!(code, 0);
    assert_eq!(out, "c1  complete  2 entries\n2024-02-01 16:00:00.000  41 ms\n\n+0 ms  MA@web REST /orders  41 ms\n");
    assert!(server.seen.lock().unwrap()[0].contains("source=MA"));
    // Numbers that no double can hold come through as they were.
    assert_eq!(run(&server.url, &["show", "c1", "--output=json"]).1, format!("{whole}\n"));
}

#[test]
fn json_for_programs_loses_no_character_and_breaks_no_line() {
    let odd = entry("->", "a\u{7f}b\u{9b}c\u{202e}", 1.0);
    let server = Server::json("/traces/c1", 200, &chain(std::slice::from_ref(&odd), false));
    for color in ["auto", "always", "never"] {
        let (_, out, _) = run(&server.url, &["show", "c1", "-o", "json", "--color", color]);
        assert_eq!(out, format!("{}\n", chain(std::slice::from_ref(&odd), false)));
    }
    let body = format!("data: {}\n\ndata: {{\"type\": \"timeout\"}}\n\n", odd.replace("{\"big", "{\ndata: \"big"));
    let server = Server::answering(vec![("/", 200, "text/event-stream", body)]);
    assert_eq!(run(&server.url, &["tail", "c1", "--no-follow", "-o", "json"]).1, format!("{odd}\n"));
}

#[test]
fn an_unfinished_call_is_marked_and_red_where_colours_are_wanted() {
    let server = Server::json("/traces/c1", 200, &chain(&[entry("->", "a", 1.0)], false));
    let (_, plain, _) = run(&server.url, &["show", "c1"]);
    assert!(plain.contains("MA@web REST /orders  unfinished") && !plain.contains('\u{1b}'), "{plain}");
    let (_, coloured, _) = run(&server.url, &["show", "c1", "--color", "always"]);
    assert!(coloured.contains("\u{1b}[1m\u{1b}[31munfinished"), "{coloured:?}");
}

#[test]
fn tail_gives_entries_as_they_come_and_ends_with_the_stream() {
    let one = entry("->", "a", 1_706_803_200_000.0);
    let body = format!("id: 1\ndata: {one}\n\n: keepalive\n\ndata: {{\"type\": \"timeout\"}}\n\n");
    let server = Server::answering(vec![("/traces/c%2F1/stream?timeout=0", 200, "text/event-stream", body)]);
    let (code, out, err) = run(&server.url, &["tail", "c/1", "--no-follow"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, "2024-02-01 16:00:00.000  MA@web  -> REST /orders  {\"big\":123456789012345678901234567890}\n");
    assert_eq!(run(&server.url, &["tail", "c/1", "--timeout", "0", "-o", "json"]).1, format!("{one}\n"));
}

#[test]
fn health_and_cleanup() {
    let server = Server::answering(vec![
        (
            "/health",
            200,
            "application/json",
            r#"{"status":"healthy","service":"tracehub","db":"/tmp/t.db","retention_hours":24}"#.to_owned(),
        ),
        ("/cleanup", 200, "application/json", r#"{"deleted":1}"#.to_owned()),
    ]);
    let (code, out, _) = run(&server.url, &["health"]);
    assert_eq!((code, out), (0, format!("healthy  {}  database /tmp/t.db, keeps 24 hours\n", server.url)));
    assert_eq!(run(&server.url, &["cleanup", "--yes"]).1, "deleted 1 entry\n");
    assert_eq!(run(&server.url, &["cleanup", "-y", "-o", "json"]).1, "{\"deleted\":1}\n");
    assert!(server.seen.lock().unwrap().iter().any(|line| line.starts_with("DELETE /cleanup")));
}

#[test]
fn the_secret_is_sent_and_never_shown() {
    let server = Server::json("/correlations", 200, LIST);
    let output = cli(&server.url, &["correlations"]).env("TRACEHUB_SECRET", "hunter2").output().unwrap();
    assert!(output.status.success());
    assert!(server.seen.lock().unwrap().iter().any(|line| line.ends_with("hunter2")));
    let help = cli(&server.url, &["--help"]).env("TRACEHUB_SECRET", "hunter2").output().unwrap();
    assert!(!String::from_utf8(help.stdout).unwrap().contains("hunter2"));
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let entries: Vec<String> = (0..20_000_u32).map(|n| entry("->", &n.to_string(), f64::from(n))).collect();
    let server = Server::json("/traces/c1", 200, &chain(&entries, false));
    let mut child = cli(&server.url, &["show", "c1"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    assert!(first.starts_with("c1"));
}
