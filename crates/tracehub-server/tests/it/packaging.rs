//! The files for those who run a server: the unit of systemd, the Dockerfile.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of this repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The unit, with this build in the place of the program that is installed. The folder goes with it.
fn unit(folder: &Path) -> PathBuf {
    let text = fs::read_to_string(repository("packaging/tracehub-server.service")).expect("the unit is there");
    let text = text.replace(
        "ExecStart=/usr/local/bin/tracehub-server",
        &format!("ExecStart={}", env!("CARGO_BIN_EXE_tracehub-server")),
    );
    let path = folder.join("tracehub-server.service");
    fs::write(&path, text).expect("the unit is written");
    path
}

fn analyze(args: &[&str], unit: &Path) -> String {
    let output = Command::new("systemd-analyze").args(args).arg(unit).output();
    let output = output.expect("systemd-analyze is not installed; `cargo xtask setup` does that");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said.into_owned()
}

fn help() -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tracehub-server")).arg("--help").output().expect("it runs");
    String::from_utf8(output.stdout).expect("the help is text")
}

#[test]
fn systemd_understands_the_unit_and_finds_little_that_it_exposes() {
    let folder = tempfile::tempdir().unwrap();
    let unit = unit(folder.path());
    let said = analyze(&["verify"], &unit);
    // It also speaks of the machine's own units.
    assert!(!said.contains("tracehub"), "{said}");
    let said = analyze(&["security", "--offline=true", "--no-pager", "--threshold=15"], &unit);
    assert!(said.contains("Overall exposure level"), "{said}");
}

/// `docs/operations.md` explains each exit code of the help, and no other; a code that a restart does not heal is one that
/// systemd does not restart after.
#[test]
fn the_document_explains_each_exit_code() {
    let document = fs::read_to_string(repository("docs/operations.md")).unwrap();
    let (_, section) = document.split_once("\n## Exit codes\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows: Vec<(&str, bool)> = rows.map(|(code, meaning)| (code, meaning.ends_with("| no |"))).collect();
    let help = help();
    let (_, told) = help.split_once("Exit codes: ").unwrap();
    let told = told.split("\n\n").next().unwrap();
    let told: Vec<&str> = told.split([' ', '\n']).filter(|word| word.parse::<u8>().is_ok()).collect();
    assert_eq!(rows.iter().map(|(code, _)| *code).collect::<Vec<_>>(), told);
    let unit = fs::read_to_string(repository("packaging/tracehub-server.service")).unwrap();
    let kept_down = unit.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus=")).unwrap();
    let in_vain: Vec<&str> = rows.iter().filter(|(_, in_vain)| *in_vain).map(|(code, _)| *code).collect();
    assert_eq!(in_vain, kept_down.split(' ').collect::<Vec<_>>());
}

/// There is nobody to build an image in the tests. What it would copy is there, and what it would run works.
#[test]
fn what_the_dockerfile_names_exists() {
    let dockerfile = fs::read_to_string(repository("Dockerfile")).unwrap();
    let ignored = fs::read_to_string(repository(".dockerignore")).unwrap();
    for path in ignored.lines().filter_map(|line| line.strip_prefix('!')) {
        assert!(repository(path).exists(), "{path}");
    }
    // Cargo wants every member to be there.
    let manifest = fs::read_to_string(repository("Cargo.toml")).unwrap();
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = [")?.strip_suffix(']')).unwrap();
    let members = members.split(", ").map(|member| member.trim_matches('"').trim_end_matches("/*"));
    for member in members.chain(["Cargo.toml", "Cargo.lock"]) {
        assert!(ignored.lines().any(|line| line.strip_prefix('!') == Some(member)), "{member}");
    }
    let help = help();
    let variables = dockerfile.split([' ', '\n']).filter_map(|word| word.split_once('=')).map(|(name, _)| name);
    let ours: Vec<&str> = variables.filter(|name| name.starts_with("TRACEHUB_")).collect();
    assert_eq!(ours, ["TRACEHUB_DB", "TRACEHUB_HOST", "TRACEHUB_LOG_FORMAT"]);
    for name in ours {
        assert!(help.contains(name), "{name}");
    }
    assert!(dockerfile.contains(r#"CMD ["tracehub-server", "healthcheck"]"#) && help.contains("healthcheck"));
}
