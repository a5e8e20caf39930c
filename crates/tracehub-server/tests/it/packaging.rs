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

/// The exit codes that no restart heals are those of the help; systemd must not try for ever.
#[test]
fn systemd_does_not_restart_what_restarting_does_not_heal() {
    let unit = fs::read_to_string(repository("packaging/tracehub-server.service")).unwrap();
    let help = Command::new(env!("CARGO_BIN_EXE_tracehub-server")).arg("--help").output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let codes = unit.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus=")).unwrap();
    for code in codes.split(' ') {
        assert!(help.contains(&format!(" {code} ")), "{code} is not in the help");
    }
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
    for member in ["crates", "examples", "webdriver", "xtask", "Cargo.toml", "Cargo.lock"] {
        assert!(ignored.lines().any(|line| line.strip_prefix('!') == Some(member)), "{member}");
    }
    let help = Command::new(env!("CARGO_BIN_EXE_tracehub-server")).arg("--help").output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let variables = dockerfile.split([' ', '\n']).filter_map(|word| word.split_once('=')).map(|(name, _)| name);
    let ours: Vec<&str> = variables.filter(|name| name.starts_with("TRACEHUB_")).collect();
    assert_eq!(ours, ["TRACEHUB_DB", "TRACEHUB_HOST", "TRACEHUB_LOG_FORMAT"]);
    for name in ours {
        assert!(help.contains(name), "{name}");
    }
    assert!(dockerfile.contains(r#"CMD ["tracehub-server", "healthcheck"]"#) && help.contains("healthcheck"));
}
