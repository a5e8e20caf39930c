//! `serve`: the server beside the program, or on the PATH, with every argument, signal and exit code its own.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A stand-in for the server that says how it was started.
const SERVER: &str = "#!/bin/sh\nfor word; do echo \"[$word]\"; done\necho \"pid $$\"\nexit 7\n";

fn program(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the folder can be written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("and its files set");
}

/// The program alone in a folder: what Cargo builds lies beside the real server.
fn cli_in(folder: &Path) -> PathBuf {
    let path = folder.join("tracehub-cli");
    let built = env!("CARGO_BIN_EXE_tracehub-cli");
    if std::fs::hard_link(built, &path).is_err() {
        std::fs::copy(built, &path).expect("the program can be copied");
    }
    path
}

fn run(cli: &Path, path: &Path, args: &[&str]) -> Output {
    Command::new(cli).env_clear().env("PATH", path).args(args).stdin(Stdio::null()).output().expect("it runs")
}

#[test]
fn the_server_beside_the_program_gets_everything_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let cli = cli_in(folder.path());
    program(folder.path(), "tracehub-server", SERVER);
    let args = ["--color", "never", "serve", "--db", "a b", "--secret", "s", "-o", "json", "--help", "--", ""];
    let child = Command::new(&cli).env_clear().args(args).stdout(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(out, format!("[--db]\n[a b]\n[--secret]\n[s]\n[-o]\n[json]\n[--help]\n[--]\n[]\npid {pid}\n"));
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn a_signal_ends_the_server_itself() {
    let folder = tempfile::tempdir().unwrap();
    let cli = cli_in(folder.path());
    program(folder.path(), "tracehub-server", "#!/bin/sh\nkill -TERM $$\nsleep 5\n");
    assert_eq!(run(&cli, Path::new("/usr/bin:/bin"), &["serve"]).status.signal(), Some(15));
}

#[test]
fn without_one_beside_it_the_path_is_searched_and_then_it_is_said() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cli = cli_in(folder.path());
    program(other.path(), "tracehub-server", SERVER);
    assert_eq!(run(&cli, other.path(), &["serve"]).status.code(), Some(7));
    let output = run(&cli, folder.path(), &["serve", "--port", "0"]);
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains("tracehub-server") && err.contains("cargo install") && err.lines().count() == 1, "{err}");
    program(folder.path(), "tracehub-server", "");
    std::fs::set_permissions(folder.path().join("tracehub-server"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = run(&cli, other.path(), &["serve"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot be started"));
}
