//! What a person at a terminal gets: text that fits, progress that goes away, a question before anything is deleted.

use std::process::Stdio;

use unicode_width::UnicodeWidthStr as _;

use crate::hub::Hub;
use crate::pty::Pty;
use crate::snapshots::hub;
use crate::support::{Server, cli, entry, run};

/// What a terminal of so many columns gets on both standard streams, and the exit code.
fn on_a_terminal(columns: u16, url: &str, args: &[&str]) -> (Option<i32>, String) {
    let pty = Pty::sized(columns, 60);
    let mut command = cli(url, &[args, &["--no-pager"]].concat());
    command.env("TERM", "xterm").env("HOME", "/home/ann").stdout(pty.terminal()).stderr(pty.terminal());
    let mut child = command.spawn().expect("it runs");
    // The command has handles of the terminal too, which would keep it open.
    drop(command);
    let seen = pty.read().replace("\r\n", "\n");
    (child.wait().expect("it ends").code(), seen)
}

#[test]
fn every_view_fits_every_terminal() {
    let hub = hub();
    let as_of = ["--as-of", "1706803385000"];
    for view in [
        &["correlations"][..],
        &["correlations", "--relative"],
        &["show", "order-43"],
        &["show", "order-43", "--log"],
        &["tail", "--no-follow"],
        &["recent"],
        &["diff", "order-42", "order-43"],
        &["stats"],
        &["health"],
        &["config", "show"],
    ] {
        for columns in [20, 30, 40, 60, 80, 100, 200] {
            let (code, seen) = on_a_terminal(columns, &hub.url, &[view, &as_of].concat());
            assert_eq!(code, Some(0), "{view:?}: {seen}");
            let plain = anstream::adapter::strip_str(&seen).to_string();
            let widest = plain.lines().map(str::width).max().unwrap_or_default();
            assert!(widest <= usize::from(columns), "{view:?} on {columns} columns takes {widest}:\n{plain}");
        }
    }
}

#[test]
fn what_is_narrow_still_says_the_most_important() {
    let hub = hub();
    let view = |columns, args: &[&str]| {
        let (_, seen) = on_a_terminal(columns, &hub.url, &[args, &["--as-of", "1706803385000"]].concat());
        anstream::adapter::strip_str(&seen).to_string()
    };
    assert_eq!(
        view(80, &["correlations"]),
        "CORRELATION ID   ENTRIES  FIRST           DURATION  SOURCES         COMPLETE\n\
         order-43               8  02-01 16:00:00    504 ms  GW,ORD,PAY      no, 3 m 04 s\n\
         order-42               9  02-01 16:00:00     44 ms  GW,ORD,PAY      yes\n\
         import-of-a-wh…   120000  01-31 16:00:00  1 h 00 m  CATALOGUE,IMP…  yes\n"
    );
    assert!(view(30, &["correlations"]).contains("\norder-43          no, 3 m 04 s\n"));
    let tree = view(30, &["show", "order-43"]);
    assert!(tree.contains("   └─ PAY@pay-1 R…  unfinished\n"), "{tree}");
    assert!(view(40, &["diff", "order-42", "order-43"]).contains("did not come back\n"));
}

#[test]
fn colours_go_where_they_are_wanted_on_both_streams() {
    let nobody = Server::json("/", 404, "{}");
    let (code, seen) = on_a_terminal(80, &nobody.url, &["health"]);
    assert!(code == Some(1) && seen.starts_with("\u{1b}[1m\u{1b}[31mtracehub-cli:\u{1b}[0m "), "{seen:?}");
    let (_, seen) = on_a_terminal(80, &nobody.url, &["health", "--color", "never"]);
    assert!(!seen.contains('\u{1b}'), "{seen:?}");
    let (_, _, err) = run(&nobody.url, &["health"]);
    assert!(!err.contains('\u{1b}'), "{err:?}");
}

#[test]
fn deleting_is_asked_about_first() {
    let json = |path, body: &str| (path, 200, "application/json", body.to_owned());
    let health = r#"{"status":"healthy","service":"tracehub","db":"d","retention_hours":24}"#;
    for (keys, code, said) in [
        ("y\n", Some(0), "deleted 7 entries"),
        ("YES\n", Some(0), "deleted 7 entries"),
        ("n\n", Some(1), "nothing was deleted"),
        ("\n", Some(1), "nothing was deleted"),
        // Ctrl-D: no answer is no yes.
        ("\u{4}", Some(1), "nothing was deleted"),
    ] {
        let server = Server::answering(vec![json("/health", health), json("/cleanup", r#"{"deleted":7}"#)]);
        let pty = Pty::sized(80, 24);
        let mut command = cli(&server.url, &["cleanup"]);
        command.stdin(pty.terminal()).stdout(pty.terminal()).stderr(pty.terminal());
        let mut child = command.spawn().unwrap();
        drop(command);
        let question = pty.wait_for("[y/N] ");
        assert_eq!(question, format!("Delete what is older than 24 hours at {}? [y/N] ", server.url));
        pty.press(keys);
        let seen = pty.read();
        assert_eq!(child.wait().unwrap().code(), code, "{keys:?}: {seen}");
        assert!(seen.contains(said), "{keys:?}: {seen}");
        let asked = server.seen.lock().unwrap().iter().any(|line| line.starts_with("DELETE"));
        assert_eq!(asked, code == Some(0), "{keys:?}");
    }
}

#[test]
fn a_question_can_be_left_and_a_command_ended_without_a_word() {
    let health = r#"{"status":"healthy","service":"tracehub","db":"d","retention_hours":24}"#;
    let server = Server::json("/health", 200, health);
    let pty = Pty::sized(80, 24);
    let mut command = cli(&server.url, &["cleanup"]);
    command.stdin(pty.terminal()).stdout(pty.terminal()).stderr(pty.terminal());
    let mut child = command.spawn().unwrap();
    drop(command);
    let _ = pty.wait_for("[y/N] ");
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // Whoever pressed Ctrl-C knows.
    assert_eq!(pty.read(), "\r\n");
}

/// Entries enough that sending them, and reading them in the small pages of a hub in memory, takes longer than it does
/// until progress is drawn.
const MANY: u32 = 20_000;
const SOME: u32 = 3_000;

#[test]
fn long_work_shows_a_bar_beside_the_output_and_takes_it_away() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("entries.ndjson");
    let lines: String = (0..MANY).map(|n| entry("->", &n.to_string(), f64::from(n)) + "\n").collect();
    std::fs::write(&file, lines).unwrap();
    let run = |hub: &Hub, args: &[&str]| {
        let pty = Pty::sized(80, 24);
        let mut command = cli(&hub.url, args);
        command.env("TERM", "xterm").stdout(Stdio::piped()).stderr(pty.terminal());
        let child = command.spawn().unwrap();
        drop(command);
        // Both are read at once, or the one that nobody reads would fill up.
        let output = std::thread::spawn(|| child.wait_with_output().unwrap());
        let seen = pty.read();
        let output = output.join().unwrap();
        assert!(output.status.success(), "{seen}");
        (seen, String::from_utf8(output.stdout).unwrap())
    };
    let hub = Hub::new();
    let (seen, out) = run(&hub, &["send", file.to_str().unwrap()]);
    assert_eq!(out, format!("accepted {MANY}: {MANY} inserted, 0 duplicates; refused 0\n"));
    let plain = anstream::adapter::strip_str(&seen).to_string();
    assert!(plain.contains("━━") && plain.contains("──") && plain.contains(" %  "), "{seen:?}");
    assert!(seen.ends_with("\r\u{1b}[K"), "{seen:?}");
    let copy = folder.path().join("copy.ndjson");
    let entries: Vec<_> = hub.kept.lock().unwrap().entries.drain(..).take(SOME as usize).collect();
    let hub = Hub::with(&entries);
    let (seen, out) = run(&hub, &["export", "--all", "-O", copy.to_str().unwrap()]);
    let plain = anstream::adapter::strip_str(&seen).to_string();
    assert!(out.is_empty() && plain.contains("━━") && plain.contains(" entries"), "{seen:?}");
    assert!(seen.ends_with(&format!("\r\u{1b}[Ktracehub-cli: wrote {SOME} entries to {}\r\n", copy.display())));
    let (_, out) = run(&hub, &["export", "--all"]);
    assert_eq!(out.lines().count(), SOME as usize);
    // On the terminal that shows the entries, a bar would be in their way.
    let (_, seen) = on_a_terminal(80, &hub.url, &["export", "--all"]);
    assert!(!seen.contains('━'));
}
