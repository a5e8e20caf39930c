//! The pager: on a terminal, for what is long, and never otherwise.

use std::path::Path;

use crate::pty::Pty;
use crate::support::{Server, chain, cli, entry};

/// Runs `show` with its output on a terminal; gives what the terminal got.
fn show_on_a_terminal(url: &str, pager: &str, args: &[&str]) -> String {
    let pty = Pty::open();
    let mut command = cli(url, &[&["show", "c1"], args].concat());
    command.env("PATH", "/usr/bin:/bin").env("TRACEHUB_PAGER", pager).stdout(pty.terminal());
    let mut child = command.spawn().expect("it runs");
    // The command has a handle of the terminal too, which would keep it open.
    drop(command);
    let seen = pty.read();
    assert!(child.wait().expect("it ends").success());
    seen
}

fn server(calls: u32) -> Server {
    let entries: Vec<String> = (0..calls).map(|n| entry("->", &n.to_string(), f64::from(n))).collect();
    Server::json("/traces/c1", 200, &chain(&entries, false))
}

fn paged(file: &Path) -> Option<String> {
    std::fs::read_to_string(file).ok().filter(|text| !text.is_empty())
}

#[test]
fn what_is_long_goes_through_the_pager_with_its_colours() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("paged");
    let pager = format!("tee {}", file.display());
    let long = server(100);
    let seen = show_on_a_terminal(&long.url, &pager, &["--color", "always"]);
    let text = paged(&file).expect("it was paged");
    assert!(text.starts_with("\u{1b}[") && text.lines().count() > 100, "{text}");
    assert_eq!(seen.replace("\r\n", "\n"), text);
    let _ = show_on_a_terminal(&long.url, &pager, &["--color", "never"]);
    assert!(!paged(&file).expect("it was paged").contains('\u{1b}'));
}

#[test]
fn nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("paged");
    let pager = format!("tee {}", file.display());
    let (short, long) = (server(3), server(100));
    assert!(show_on_a_terminal(&short.url, &pager, &[]).contains("/orders"));
    assert!(show_on_a_terminal(&long.url, &pager, &["--no-pager"]).lines().count() > 100);
    assert!(show_on_a_terminal(&long.url, &pager, &["-o", "json"]).contains("\"traces\""));
    let piped =
        cli(&long.url, &["show", "c1"]).env("TRACEHUB_PAGER", &pager).env("PATH", "/usr/bin:/bin").output().unwrap();
    assert!(piped.stdout.split(|byte| *byte == b'\n').count() > 100);
    assert_eq!(paged(&file), None);
    // A pager that is not there is no reason to complain.
    let seen = show_on_a_terminal(&long.url, "no-such-pager -x", &[]);
    assert!(seen.lines().count() > 100 && !seen.contains("no-such-pager"), "{seen}");
}
