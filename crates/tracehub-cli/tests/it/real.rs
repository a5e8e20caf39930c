//! The program with the real server, which it starts itself: everything answers, a restart is got over, and hostile
//! entries make the round trip to the byte.

use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::loading::feed;
use crate::pty::Pty;
use crate::support::{cli, run};

const SECRET: &str = "correct-horse-battery";

/// A server that `tracehub-cli serve` became. Killed when dropped.
struct Real {
    child: Child,
    url: String,
    folder: TempDir,
}

impl Real {
    fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (child, url) = serve(folder.path(), "0", args);
        Self { child, url, folder }
    }

    /// Ends it as an operator does.
    fn stop(&mut self) {
        signal(&self.child, "-TERM");
        assert!(self.child.wait().expect("it ends").success(), "it ends well");
    }

    /// Starts it again with its database, at its address.
    fn start_again(&mut self) {
        let port = self.url.rsplit(':').next().expect("a port").to_owned();
        (self.child, self.url) = serve(self.folder.path(), &port, &[]);
    }

    fn ok(&self, args: &[&str]) -> String {
        let (code, out, err) = run(&self.url, args);
        assert_eq!((code, err.as_str()), (0, ""), "{args:?}: {out}");
        out
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(folder: &Path, port: &str, args: &[&str]) -> (Child, String) {
    let database = folder.join("tracehub.db");
    let mut command = Command::new(program());
    command.env_clear().args(["serve", "--port", port, "--db"]).arg(database).args(args);
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut log = BufReader::new(child.stderr.take().expect("its log is piped")).lines();
    let url = loop {
        let line = log.next().expect("it listens before it ends").expect("its log is text");
        if let Some((_, rest)) = line.split_once("listening on ") {
            break rest.split_whitespace().next().expect("an address").to_owned();
        }
    };
    // Nobody reads on, and a server whose log is full would stop.
    std::thread::spawn(move || log.for_each(drop));
    (child, url)
}

/// The program, with the server beside it: tests of the whole workspace have built that, others build it here once.
fn program() -> PathBuf {
    let cli = PathBuf::from(env!("CARGO_BIN_EXE_tracehub-cli"));
    let folder = cli.parent().expect("a program lies in a folder");
    if !folder.join("tracehub-server").exists() {
        let target = folder.parent().expect("a profile lies in the target folder");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "tracehub-server", "--target-dir"])
            .arg(target)
            .status();
        assert!(built.expect("cargo runs").success(), "`cargo build --package tracehub-server` makes the server");
    }
    cli
}

fn signal(child: &Child, signal: &str) {
    let told = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill runs");
    assert!(told.success());
}

/// A command that goes on, with the lines of its output as they come.
fn follow(url: &str, args: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = cli(url, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    (child, lines)
}

/// Ends a command that goes on; gives its exit code and what it said on standard error.
fn interrupt(child: Child) -> (Option<i32>, String) {
    signal(&child, "-INT");
    let output = child.wait_with_output().expect("it ends");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

/// Waits until somebody listens to the server.
fn listened_to(real: &Real) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !real.ok(&["stats"]).contains("streams      1 open") {
        assert!(Instant::now() < deadline, "nobody listens");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    lines.next().expect("a line").expect("text")
}

#[test]
fn every_command_answers() {
    let real = Real::start(&[]);
    let send = |id: &str, direction: &str, at: &str| {
        let args =
            ["send", "--id", id, "--source", "MA", "--operation", "REST", "--endpoint", "/orders", "--host", "web"];
        real.ok(&[&args[..], &["--direction", direction, "--timestamp", at]].concat())
    };
    for (id, direction, at) in [
        ("order-42", "enter", "1706803200000"),
        ("order-42", "leave", "1706803200041"),
        ("order-43", "enter", "1706803200000"),
    ] {
        assert_eq!(send(id, direction, at), "accepted 1: 1 inserted, 0 duplicates; refused 0\n");
    }
    let as_of = ["--as-of", "1706803385000"];
    let list = real.ok(&[&["correlations", "--incomplete"], &as_of[..]].concat());
    assert_eq!(
        list,
        "CORRELATION ID  ENTRIES  FIRST                    DURATION  SOURCES  COMPLETE\n\
         order-43              1  2024-02-01 16:00:00.000      0 ms  MA       no, silent for 3 m 05 s\n"
    );
    assert_eq!(real.ok(&["correlations", "-o", "raw"]), "order-43\norder-42\n");
    let shown = real.ok(&[&["show", "order-43"], &as_of[..]].concat());
    assert!(shown.ends_with("+0 ms  MA@web REST /orders  unfinished for 3 m 05 s\n"), "{shown}");
    let log = real.ok(&[&["tail", "order-42", "--no-follow"], &as_of[..]].concat());
    assert_eq!(log, "16:00:00.000  MA@web  -> REST /orders\n16:00:00.041  MA@web  <- REST /orders\n");
    assert_eq!(real.ok(&["tail", "--no-follow"]).lines().count(), 3);
    assert_eq!(real.ok(&["recent", "-n", "2"]).lines().count(), 2);
    let compared = real.ok(&["diff", "order-42", "order-43"]);
    assert!(compared.contains("1 call without return in B: MA REST /orders\n"), "{compared}");
    assert!(real.ok(&["stats"]).contains("\nentries      3, the newest is 3\n"));
    assert!(real.ok(&["health"]).starts_with(&format!("healthy  {}  database ", real.url)));
    assert_eq!(real.ok(&["cleanup", "--yes"]), "deleted 0 entries\n");
    assert_eq!(real.ok(&["export", "order-42"]).lines().count(), 2);
    // The beginning of an id is enough to look at a chain, and what is not there is named beside what is.
    for (args, part) in [
        (&["show", "order-4"][..], "\"order-4\" begins several ids; say more of it: order-43, order-42\n"),
        (&["show", "order-99"], "nearest: order-43, order-42\n"),
        (&["diff", "order-42", "order-5"], "nearest: order-43, order-42\n"),
        (&["export", "order-4"], "nearest: order-43, order-42\n"),
        (&["export", "order-4", "--source", "MA"], "nearest: order-43, order-42\n"),
        (&["tail", "order-44", "--no-follow"], "nearest: order-43, order-42\n"),
        (&["show", "zzz"], "; `tracehub-cli correlations` lists the recent ones\n"),
        (&["show", "order-42", "--source", "WK"], "source \"WK\" logged nothing for correlation id \"order-42\""),
        (&["export", "order-42", "--source", "WK"], "source \"WK\" logged nothing for correlation id \"order-42\""),
    ] {
        let (code, out, err) = run(&real.url, args);
        assert!(code == 3 && out.is_empty() && err.contains(part) && err.lines().count() == 1, "{args:?}: {err}");
    }
}

#[test]
fn every_command_says_what_is_missing_when_it_is_refused_or_nobody_is_there() {
    let real = Real::start(&["--secret", SECRET]);
    assert_eq!(run(&real.url, &["--secret", SECRET, "send", "--id", "c"]).0, 0);
    let commands = [
        &["correlations"][..],
        &["show", "c"],
        &["tail", "--no-follow"],
        &["tail", "c"],
        &["recent"],
        &["diff", "c", "c"],
        &["stats"],
        &["health"],
        &["send", "--id", "c"],
        &["cleanup", "-y"],
        &["export", "c"],
        &["export", "--all"],
    ];
    for command in commands {
        let (code, out, err) = run(&real.url, command);
        assert!(code == 4 && out.is_empty() && err.lines().count() == 1, "{command:?}: {out}{err}");
        assert!(err.contains("not authorised (401)") && err.contains("TRACEHUB_SECRET"), "{command:?}: {err}");
    }
    let (code, _, err) = run(&real.url, &["--secret", "wrong", "recent"]);
    assert!(code == 4 && err.contains("not authorised (403)"), "{err}");
    // A port that the system gives to nobody by chance.
    let nobody = "http://127.0.0.1:1";
    for command in commands {
        let (code, out, err) = run(nobody, command);
        assert!(code == 5 && out.is_empty() && err.lines().count() == 1, "{command:?}: {out}{err}");
        assert!(err.contains(nobody) && err.contains("`tracehub-cli serve`"), "{command:?}: {err}");
    }
}

#[test]
fn what_is_followed_goes_on_after_a_restart_and_nothing_comes_twice() {
    let mut real = Real::start(&[]);
    let send = |real: &Real, id: &str| {
        let _ = real.ok(&["send", "--id", id, "--source", "T"]);
    };
    send(&real, "before");
    let (child, mut lines) = follow(&real.url, &["tail", "-o", "ndjson", "--source", "T"]);
    listened_to(&real);
    send(&real, "one");
    assert!(next(&mut lines).contains("\"correlation_id\":\"one\""));
    real.stop();
    real.start_again();
    // It may come before the listener is back: then it is made up for.
    send(&real, "two");
    assert!(next(&mut lines).contains("\"correlation_id\":\"two\""));
    send(&real, "three");
    assert!(next(&mut lines).contains("\"correlation_id\":\"three\""));
    let (code, err) = interrupt(child);
    assert_eq!(code, Some(130));
    let said: Vec<&str> = err.lines().collect();
    assert!(
        matches!(said.as_slice(), [lost, back, _] if lost.contains("trying again") && back.ends_with("connected again")),
        "{said:?}"
    );
    assert!(lines.next().is_none(), "nothing comes twice");
}

#[test]
fn a_watched_list_and_a_followed_chain_go_on_too() {
    let mut real = Real::start(&[]);
    let _ = real.ok(&["send", "--id", "one"]);
    let (watching, mut list) = follow(&real.url, &["correlations", "--watch=50ms", "-o", "raw"]);
    let (following, mut chain) = follow(&real.url, &["show", "one", "--follow", "-o", "ndjson"]);
    assert_eq!(next(&mut list), "one");
    assert!(next(&mut chain).contains("\"direction\":\"->\""));
    real.stop();
    real.start_again();
    let _ = real.ok(&["send", "--id", "one", "--direction", "leave"]);
    let _ = real.ok(&["send", "--id", "two"]);
    assert!(next(&mut chain).contains("\"direction\":\"<-\""));
    assert!(list.by_ref().map_while(Result::ok).any(|line| line == "two"));
    assert_eq!(interrupt(watching).0, Some(130));
    assert_eq!(interrupt(following).0, Some(130));
}

#[test]
fn the_last_list_stays_while_the_server_is_gone() {
    let mut real = Real::start(&[]);
    let _ = real.ok(&["send", "--id", "the-one"]);
    let pty = Pty::sized(100, 24);
    let mut command = cli(&real.url, &["correlations", "--watch=50ms", "--color", "never"]);
    let child = command.env("TERM", "xterm").stdout(pty.terminal()).spawn().unwrap();
    drop(command);
    let _ = pty.wait_for("the-one");
    real.stop();
    let _ = pty.wait_for("cannot be reached");
    let _ = pty.wait_for("the-one");
    real.start_again();
    let _ = real.ok(&["send", "--id", "another"]);
    let _ = pty.wait_for("another");
    assert_eq!(interrupt(child).0, Some(130));
}

#[test]
fn who_follows_what_is_not_there_yet_is_told_and_waits() {
    let real = Real::start(&[]);
    let (child, mut lines) = follow(&real.url, &["tail", "later", "-o", "ndjson"]);
    listened_to(&real);
    std::thread::sleep(Duration::from_millis(1_200));
    let _ = real.ok(&["send", "--id", "later"]);
    assert!(next(&mut lines).contains("\"correlation_id\":\"later\""));
    let (code, err) = interrupt(child);
    assert!(code == Some(130) && err.contains("nothing has come for \"later\" yet; waiting for it\n"), "{err}");
}

#[test]
fn hostile_entries_make_the_round_trip_to_the_byte() {
    let hostile =
        "\\u001b]52;c;QUFB\\u0007\\u001b[2J\u{9b}31m\u{202e}a\u{2066}b\\r\\n\\t\u{7f}\u{200b}\u{feff}\\b\\\"\\\\é🚀";
    let entry = |id: &str, direction: &str, at: &str, data: &str, raw: &str| {
        format!(
            "{{\"source_id\":\"{hostile}\",\"correlation_id\":\"{id}\",\"timestamp\":{at},\"suffix\":\"s{at}\",\
             \"direction\":\"{direction}\",\"operation\":\"{hostile}\",\"endpoint\":\"{hostile}\",\"data\":{data},\
             \"hostname\":\"{hostile}\",\"raw_line\":{raw}}}\n"
        )
    };
    let odd = r#"{"b":1,"a":1.50,"n":123456789012345678901234567890,"s":"\u00e9\ud83d\ude00","":[1e5,-0,null]}"#;
    let raw = format!("\"{hostile}\\traw\"");
    let id = format!("é/%2F ?#{hostile}");
    // Not in the order of time, as several services send.
    let sent = [
        entry(&id, "->", "1706803200005.25", odd, &raw),
        entry("plain", "->", "1706803200009.0", "null", "null"),
        entry(&id, "<-", "1706803200009.5", "{}", &raw),
        entry(&id, "mark\\u001b[m", "1706803200001.0", odd, "null"),
    ]
    .concat();
    let (old, new) = (Real::start(&[]), Real::start(&[]));
    assert_eq!(feed(&old.url, &["import"], &sent).1, "accepted 4: 4 inserted, 0 duplicates; refused 0\n");
    let exported = old.ok(&["export", "--all"]);
    assert_eq!(exported.lines().count(), 4);
    // What was sent is what is kept: the very text of `data`, and the order of arrival.
    for (line, sent) in exported.lines().zip(sent.lines()) {
        let data = |line: &str| {
            line.split_once("\"data\":")
                .and_then(|(_, rest)| rest.split_once(",\"hostname\""))
                .map(|(data, _)| data.to_owned())
        };
        assert_eq!(data(line), data(sent));
        let (line, sent): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(line).unwrap(), serde_json::from_str(sent).unwrap());
        assert_eq!(line, sent);
    }
    assert_eq!(feed(&new.url, &["import"], &exported).1, "accepted 4: 4 inserted, 0 duplicates; refused 0\n");
    assert_eq!(new.ok(&["export", "--all"]), exported);
    assert_eq!(feed(&new.url, &["import"], &exported).1, "accepted 4: 0 inserted, 4 duplicates; refused 0\n");
    // A file says the same, and a chain by the beginning of its id is drawn.
    let file = old.folder.path().join("all.ndjson");
    let name = file.to_str().unwrap();
    assert_eq!(run(&old.url, &["export", "--all", "-O", name]).2, format!("tracehub-cli: wrote 4 entries to {name}\n"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), exported);
    assert!(old.ok(&["show", "é/%2F ?"]).contains("complete  3 entries"));
}

#[test]
fn a_reader_that_leaves_early_ends_every_command_quietly() {
    let real = Real::start(&[]);
    let line = |n: u32| {
        format!(
            "{{\"source_id\":\"MA\",\"correlation_id\":\"chain-{n}\",\"timestamp\":{n},\"suffix\":\"s\",\
             \"direction\":\"->\",\"operation\":\"REST\",\"endpoint\":\"/a/long/endpoint/that/fills/pipes\"}}"
        )
    };
    let lines = (0..3_000).map(line).collect::<Vec<_>>().join("\n");
    assert_eq!(feed(&real.url, &["send", "-"], &lines).0, 0);
    for args in [
        &["correlations", "-n", "3000"][..],
        &["correlations", "--all", "-o", "ndjson"],
        &["tail", "--no-follow"],
        &["tail", "--since", "1h"],
        &["recent", "-n", "3000"],
        &["export", "--all"],
        &["completions", "bash"],
    ] {
        let mut child = cli(&real.url, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        // A stream notices when the next entry comes.
        if args.contains(&"--since") {
            let _ = real.ok(&["send", "--id", "last"]);
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{args:?}");
        assert!(!first.is_empty(), "{args:?}");
    }
}

/// A certificate for this machine that vouches for itself, and its key, as files.
fn certificate(folder: &Path, name: &str, is_ca: rcgen::IsCa) -> (PathBuf, PathBuf) {
    let signing_key = rcgen::KeyPair::generate().expect("a key");
    let mut parameters = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).expect("parameters");
    parameters.is_ca = is_ca;
    let made = parameters.self_signed(&signing_key).expect("a certificate");
    let (chain, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    std::fs::write(&chain, made.pem()).expect("the certificate is written");
    std::fs::write(&key, signing_key.serialize_pem()).expect("the key is written");
    (chain, key)
}

/// A server that speaks HTTPS with a certificate.
fn encrypted((chain, key): &(PathBuf, PathBuf)) -> Real {
    let text = |path: &Path| path.to_str().expect("a text").to_owned();
    Real::start(&["--tls-cert", &text(chain), "--tls-key", &text(key)])
}

#[test]
fn an_https_server_is_asked_if_those_who_are_named_vouch_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let own = certificate(folder.path(), "server", rcgen::IsCa::NoCa);
    let (stranger, _) = certificate(folder.path(), "stranger", rcgen::IsCa::NoCa);
    let text = |path: &Path| path.to_str().expect("a text").to_owned();
    let real = encrypted(&own);
    let (chain, key) = own;
    assert!(real.url.starts_with("https://"), "{}", real.url);
    let health = real.ok(&["--tls-ca", &text(&chain), "health"]);
    assert!(health.contains("healthy"), "{health}");

    let (code, _, err) = run(&real.url, &["--tls-ca", &text(&stranger), "health"]);
    assert!(code == 5 && err.contains("certificate") && err.contains("--tls-ca names a file"), "{code}: {err}");
    // The system's authorities are whom this variable names.
    let mut command = cli(&real.url, &["health"]);
    let unnamed = command.env("SSL_CERT_FILE", &stranger).output().unwrap();
    assert_eq!(unnamed.status.code(), Some(5), "{unnamed:?}");
    let named = command.env("SSL_CERT_FILE", &chain).output().unwrap();
    assert!(named.status.success(), "{named:?}");
    // A machine without any, as an image may be.
    let nobody = folder.path().join("empty");
    std::fs::write(&nobody, "").unwrap();
    let mut command = cli(&real.url, &["--tls-ca", &text(&chain), "health"]);
    let without = command.env("SSL_CERT_FILE", &nobody).env("SSL_CERT_DIR", folder.path()).output().unwrap();
    assert!(without.status.success(), "{without:?}");
    let mut command = cli(&real.url, &["health"]);
    let unset = command.env("TRACEHUB_TLS_CA", "").env("SSL_CERT_FILE", &chain).output().unwrap();
    assert!(unset.status.success(), "{unset:?}");

    let config = folder.path().join("config.toml");
    std::fs::write(&config, "tls_ca = \"server.pem\"\n").unwrap();
    assert!(real.ok(&["--config", &text(&config), "health"]).contains("healthy"));
    for (file, reason) in [(folder.path().join("nowhere"), "No such file"), (key, "no `BEGIN CERTIFICATE`")] {
        let (code, _, err) = run(&real.url, &["--tls-ca", &text(&file), "health"]);
        assert!(code == 2 && err.contains(&text(&file)) && err.contains(reason), "{code}: {err}");
    }

    let authority = certificate(folder.path(), "authority", rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    let (code, _, err) = run(&encrypted(&authority).url, &["--tls-ca", &text(&authority.0), "health"]);
    assert!(code == 5 && err.contains("`CA:FALSE`"), "{code}: {err}");
}
