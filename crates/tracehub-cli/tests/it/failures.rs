//! Every exit code, and the sentence that comes with it.

use crate::support::{Server, chain, cli, run};

#[test]
fn an_unknown_id_is_3_and_says_what_to_do() {
    let none = r#"{"correlations":[],"count":0}"#;
    let json = |path, body: &str| (path, 200, "application/json", body.to_owned());
    let server = Server::answering(vec![json("/traces/", &chain(&[], false)), json("/correlations", none)]);
    let (code, out, err) = run(&server.url, &["show", "nobody\u{1b}[2J"]);
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(err.contains("nothing for correlation id") && err.contains("tracehub-cli correlations"), "{err}");
    assert!(!err.contains('\u{1b}'), "{err:?}");
    let known = chain(&[crate::support::entry("->", "a", 1.0)], false);
    let server = Server::answering(vec![json("/traces/c1?source=XX", &chain(&[], false)), json("/traces/c1", &known)]);
    let (code, _, err) = run(&server.url, &["show", "c1", "--source", "XX"]);
    assert!(code == 3 && err.contains("\"XX\""), "{err}");
}

#[test]
fn a_server_that_is_not_there_is_5_and_named() {
    // A port that the system gives to nobody by chance.
    let url = "http://127.0.0.1:1";
    for command in [
        &["correlations"][..],
        &["show", "c"],
        &["tail", "c"],
        &["tail"],
        &["recent"],
        &["diff", "a", "b"],
        &["health"],
        &["cleanup", "-y"],
    ] {
        let (code, out, err) = run(url, command);
        assert_eq!((code, out.as_str()), (5, ""), "{err}");
        assert!(err.contains(url) && err.contains("tracehub-server"), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
}

#[test]
fn a_refusal_is_4_and_other_answers_are_1() {
    let refused = Server::json("/", 401, r#"{"error":"unauthorized","message":"a secret is needed"}"#);
    let (code, _, err) = run(&refused.url, &["health"]);
    assert!(code == 4 && err.contains("TRACEHUB_SECRET"), "{err}");
    let failing = Server::json("/", 503, r#"{"error":"overloaded","message":"as much is waiting as may wait"}"#);
    let (code, _, err) = run(&failing.url, &["health"]);
    assert!(code == 1 && err.contains("as much is waiting as may wait"), "{err}");
    for status in [408, 429, 503] {
        let busy = Server::json("/", status, r#"{"error":"x","message":"not now"}"#);
        let (code, _, err) = run(&busy.url, &["health"]);
        assert!(code == 1 && err.ends_with("not now; try again in a moment\n"), "{err}");
    }
    let strange = Server::json("/", 200, "not json");
    assert_eq!(run(&strange.url, &["health"]).0, 1);
}

#[test]
fn wrong_usage_is_2() {
    for args in [
        &["frobnicate"][..],
        &[],
        &["show"],
        &["correlations", "--limit", "10001"],
        &["correlations", "-o", "xml"],
        &["correlations", "--complete", "--incomplete"],
        &["correlations", "--min-duration", "long"],
        &["correlations", "--all", "--watch"],
        &["tail", "--since", "yesterday-ish"],
        &["show", "c", "--log", "--raw"],
        &["diff", "a"],
        &["--utc", "--local", "health"],
        &["--url", "not a url", "health"],
        &["--url", "ftp://example", "health"],
        &["cleanup"],
    ] {
        let (code, _, err) = run("http://127.0.0.1:1", args);
        assert_eq!(code, 2, "{args:?}: {err}");
        assert!(!err.is_empty());
    }
}

#[test]
fn an_interrupt_is_130() {
    // A server that takes the connection and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut child = cli(&url, &["tail", "c"]).spawn().unwrap();
    // Connected means that the command waits for an answer, with its signal handler in place.
    let _connection = silent.accept().unwrap();
    let status = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn help_teaches() {
    let output = cli("http://127.0.0.1:1", &["--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for part in ["Exit codes: 0 ok", "tracehub-cli show order-42", "[env: TRACEHUB_URL", "http://127.0.0.1:8099"] {
        assert!(help.contains(part), "{help}");
    }
}
