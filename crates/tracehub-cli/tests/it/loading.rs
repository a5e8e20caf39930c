//! `send` and `import`: what is counted, what is refused, what is sent again.

use std::io::Write as _;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::hub::{CUT_OFF, Hub};
use crate::pty::Pty;
use crate::support::{Server, cli, entry, run};

const BUSY: &str = r#"{"error":"overloaded","message":"as much is waiting as may wait"}"#;

/// Runs a command with text on its standard input.
pub(crate) fn feed(url: &str, args: &[&str], input: &str) -> (i32, String, String) {
    let mut command = cli(url, args);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    let input = input.to_owned();
    // It may end before it has read everything.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).is_ok());
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
    writer.join().expect("the writer ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

fn lines(count: u32) -> String {
    (0..count).map(|n| entry("->", &n.to_string(), f64::from(n)) + "\n").collect()
}

/// Lines in a file, which is read in large steps: a pipe's are smaller.
fn file(count: u32) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("entries.ndjson");
    std::fs::write(&path, lines(count)).expect("the file is written");
    (folder, path.to_str().expect("a path of text").to_owned())
}

#[test]
fn one_entry_from_flags_with_defaults_that_make_sense() {
    let hub = Hub::new();
    let (code, out, err) = run(&hub.url, &["send", "--id", "c1"]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "accepted 1: 1 inserted, 0 duplicates; refused 0\n", ""));
    let kept = hub.kept.lock().unwrap().entries[0].clone();
    assert_eq!((kept.source_id(), kept.operation(), kept.endpoint(), kept.data()), ("cli", "CLI", "/", None));
    assert_eq!((kept.direction().as_str(), kept.suffix().len()), ("->", 8));
    assert!(kept.timestamp() > 1.7e12 && kept.hostname() != "unknown");

    let whole = [
        "send",
        "--id",
        "c2",
        "--source",
        "MA",
        "--direction",
        "leave",
        "--operation",
        "REST",
        "--endpoint",
        "/orders",
        "--data",
        " {\"n\":1.50}",
        "--host",
        "web",
        "--timestamp",
        "2024-02-01T16:00:00.123Z",
        "--suffix",
        "x",
        "-o",
        "json",
    ];
    let counts = r#"{"accepted":1,"inserted":1,"duplicates":0,"refused":0,"refusals":[]}"#;
    assert_eq!(run(&hub.url, &whole).1, format!("{counts}\n"));
    assert_eq!(run(&hub.url, &whole).1, format!("{}\n", counts.replace("1,\"duplicates\":0", "0,\"duplicates\":1")));
    let kept = hub.kept.lock().unwrap().entries[1].clone();
    assert_eq!(
        (kept.source_id(), kept.hostname(), kept.suffix(), kept.timestamp()),
        ("MA", "web", "x", 1_706_803_200_123.0)
    );
    assert_eq!((kept.direction().as_str(), kept.data()), ("<-", Some("{\"n\":1.50}")));
    assert_eq!(run(&hub.url, &["send", "--id", "c2", "--direction", "->", "--timestamp", "5.5"]).0, 0);
    assert_eq!(run(&hub.url, &["send", "--id", "c2", "--direction", "note"]).0, 0);
    let directions: Vec<_> =
        hub.kept.lock().unwrap().entries.iter().skip(2).map(|entry| entry.direction().as_str().to_owned()).collect();
    assert_eq!(directions, ["->", "note"]);
}

#[test]
fn a_bad_line_costs_itself_and_is_named() {
    let good = |n: u32| entry("->", &n.to_string(), f64::from(n));
    let input = format!("{}\n\n{{\"source_id\":5}}\n{}\n{{nonsense\n{}\n[]\n{}", good(1), good(2), good(1), good(3));
    let hub = Hub::new();
    let (code, out, err) = feed(&hub.url, &["send", "-"], &input);
    assert_eq!((code, out.as_str()), (1, "accepted 4: 3 inserted, 1 duplicate; refused 3\n"), "{err}");
    let said: Vec<&str> = err.lines().collect();
    assert!(said[0].starts_with("tracehub-cli: line 5 is refused: not a JSON object: "), "{err}");
    assert!(said[1].starts_with("tracehub-cli: line 7 is refused: "), "{err}");
    assert!(said[2].contains("line 3 is refused: ") && said[2].contains("source_id: "), "{err}");
    assert!(said[2].contains("timestamp: Field required"), "{err}");
    assert_eq!((said.len(), said[3].contains("3 of the lines were refused")), (4, true), "{err}");
    let (code, out, _) = feed(&hub.url, &["send", "-f", "-", "-o", "json"], &input);
    let counts: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &counts["accepted"], &counts["duplicates"], &counts["refused"]),
        (1, &4.into(), &4.into(), &3.into())
    );
    let named: Vec<u64> = (0..3).map(|n| counts["refusals"][n]["line"].as_u64().unwrap()).collect();
    assert_eq!(named, [3, 5, 7]);
}

#[test]
fn lines_go_in_batches_and_a_refusal_without_names_is_narrowed_down() {
    let (_folder, name) = file(1_200);
    let hub = Hub::new();
    let (code, out, err) = run(&hub.url, &["send", &name]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(out, "accepted 1200: 1200 inserted, 0 duplicates; refused 0\n");
    assert_eq!(hub.requests(), [500, 500, 200]);

    let too_large = (413, None, r#"{"error":"body_too_large","message":"too large"}"#);
    let hub = Hub::refusing_first(&[too_large, too_large, too_large]);
    let (code, out, err) = feed(&hub.url, &["send", "-"], &lines(4));
    assert_eq!((code, out.as_str()), (1, "accepted 3: 3 inserted, 0 duplicates; refused 1\n"));
    assert!(err.contains("line 1 is refused: too large"), "{err}");
    assert_eq!(hub.requests(), [4, 2, 1, 1, 2]);
}

#[test]
fn a_busy_server_is_asked_again_when_it_says_and_nothing_is_counted_twice() {
    let hub = Hub::refusing_first(&[
        (503, Some("1"), BUSY),
        (429, None, BUSY),
        (502, None, ""),
        (504, None, ""),
        (408, None, ""),
    ]);
    let started = Instant::now();
    let (code, out, err) = feed(&hub.url, &["send", "-"], &lines(3));
    assert_eq!((code, out.as_str(), err.as_str()), (0, "accepted 3: 3 inserted, 0 duplicates; refused 0\n", ""));
    assert!(started.elapsed() >= Duration::from_secs(1), "it did not wait as long as it was told");
    assert_eq!(hub.requests(), [3; 6]);
}

#[test]
fn only_what_was_acknowledged_is_counted_when_the_server_gives_up() {
    let hub = Hub::refusing_first(&[(503, Some("0"), BUSY), (503, Some("0"), BUSY)]);
    let (code, out, err) = feed(&hub.url, &["send", "-", "--retries", "1"], &lines(3));
    assert_eq!((code, out.as_str()), (1, "accepted 0: 0 inserted, 0 duplicates; refused 0\n"));
    assert!(err.contains("stopped at line 1,") && err.contains("as much is waiting as may wait"), "{err}");

    let (_folder, name) = file(600);
    let hub = Hub::refusing_first(&[(200, None, ""), (503, Some("0"), BUSY), (503, Some("0"), BUSY)]);
    let (code, out, err) = run(&hub.url, &["send", &name, "--retries", "1", "-o", "json"]);
    assert!(code == 1 && out.starts_with("{\"accepted\":500,\"inserted\":500,"), "{out}");
    assert!(err.contains("stopped at line 501,"), "{err}");
    assert_eq!(hub.requests(), [500, 100, 100]);
}

#[test]
fn a_server_that_was_there_and_is_gone_is_waited_for() {
    let (_folder, name) = file(600);
    let hub = Hub::refusing_first(&[(200, None, ""), (CUT_OFF, None, ""), (CUT_OFF, None, "")]);
    let (code, out, err) = run(&hub.url, &["send", &name]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "accepted 600: 600 inserted, 0 duplicates; refused 0\n", ""));
    assert_eq!(hub.requests(), [500, 100, 100, 100]);
    // One that never was is not.
    let hub = Hub::refusing_first(&[(CUT_OFF, None, "")]);
    assert_eq!(feed(&hub.url, &["send", "-"], &lines(1)).0, 5);
    assert_eq!(hub.requests(), [1]);
}

#[test]
fn import_keeps_the_order_of_arrival_and_counts_what_is_there_already() {
    let descending = format!("{}\n{}\n", entry("->", "a", 2.0), entry("->", "b", 1.0));
    let hub = Hub::new();
    let (code, out, _) = feed(&hub.url, &["import"], &descending);
    assert_eq!((code, out.as_str()), (0, "accepted 2: 2 inserted, 0 duplicates; refused 0\n"));
    // Nothing goes along with what is older.
    assert_eq!(hub.requests(), [1, 1]);
    assert_eq!(hub.kept.lock().unwrap().entries[0].suffix(), "a");
    assert_eq!(feed(&hub.url, &["import", "-", "-o", "json"], &descending).1.matches("\"duplicates\":2").count(), 1);
}

#[test]
fn each_failure_has_its_exit_code() {
    let nobody = "http://127.0.0.1:1";
    for args in [
        &["send"][..],
        &["send", "--source", "MA"],
        &["send", "--id", "c", "-f", "x"],
        &["send", "-", "-f", "x"],
        &["send", "--id", "c", "--data", "[1]"],
        &["send", "--id", "c", "--data", "{"],
        &["send", "--id", ""],
        &["send", "--id", "c", "--timestamp", "soon"],
    ] {
        let (code, _, err) = run(nobody, args);
        assert_eq!(code, 2, "{args:?}: {err}");
    }
    for command in ["send", "import"] {
        let (code, _, err) = run(nobody, &[command, "/no/such/file"]);
        assert!(code == 1 && err.contains("/no/such/file"), "{err}");
        assert_eq!(run(nobody, &[command, "/"]).0, 1);
        let (code, out, err) = feed(nobody, &[command, "-"], &lines(1));
        assert_eq!((code, out.as_str()), (5, "accepted 0: 0 inserted, 0 duplicates; refused 0\n"));
        assert!(err.contains(nobody) && err.contains("tracehub-cli serve"), "{err}");
        let refused = Server::json("/ingest", 401, r#"{"error":"unauthorized","message":"who are you?"}"#);
        assert_eq!(feed(&refused.url, &[command, "-"], &lines(1)).0, 4);
        let elsewhere = Server::json("/ingest", 200, r#"{"accepted":2,"inserted":2,"duplicates":0}"#);
        let (code, out, _) = feed(&elsewhere.url, &[command, "-"], &lines(1));
        assert!(code == 1 && out.starts_with("accepted 0:"), "an answer to something else counts nothing");
    }
    assert_eq!(run(nobody, &["send", "--id", "c"]).0, 5);
    assert_eq!(feed(nobody, &["send", "-"], "\n \n").0, 0, "no lines, nothing to send");
}

#[test]
fn an_interrupt_is_130_and_says_how_far_it_came() {
    // A server that takes the connection and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let child = cli(&url, &["send", "--id", "c"]).stderr(Stdio::piped()).spawn().unwrap();
    let _connection = silent.accept().unwrap();
    let status = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(err.contains("stopped after 0 entries that the server acknowledged"), "{err}");
}

#[test]
fn progress_is_shown_on_a_terminal_and_gone_at_the_end() {
    let hub = Hub::refusing_first(&[(503, Some("0"), BUSY)]);
    let pty = Pty::open();
    let mut command = cli(&hub.url, &["send", "--id", "c"]);
    let mut child = command.stdout(Stdio::piped()).stderr(pty.terminal()).spawn().unwrap();
    // The command has a handle of the terminal too, which would keep it open.
    drop(command);
    let seen = pty.read();
    assert!(child.wait().unwrap().success());
    assert!(seen.contains("0 entries; the server is busy, again in 0."), "{seen:?}");
    assert!(seen.ends_with("\r\u{1b}[K"), "{seen:?}");
}
