//! `cargo xtask tidy`: the house rules that neither the compiler nor clippy checks. Each rule is one small function.

mod links;
mod manifests;
mod rust;
mod source;

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process::{root, stage};

/// Something that breaks a rule, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Relative to the workspace.
    path: String,
    /// Counted from one.
    line: usize,
    /// What is wrong and what to do instead.
    sentence: String,
}

impl Finding {
    fn new(path: &str, line: usize, sentence: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, sentence: sentence.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.sentence)
    }
}

/// Checks the workspace under a header.
pub(crate) fn run() -> Result<()> {
    stage("tidy", check)
}

/// Checks the workspace and prints what it finds; any finding is an error.
pub(crate) fn check() -> Result<()> {
    let findings = findings(root())?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        1 => bail!("one place breaks a house rule"),
        count => bail!("{count} places break a house rule"),
    }
}

/// Everything that breaks a rule under `root`, in the order of the files.
fn findings(root: &Path) -> Result<Vec<Finding>> {
    let mut paths = Vec::new();
    list_files(root, "", &mut paths)?;
    paths.sort();
    let mut findings = Vec::new();
    for path in &paths {
        let read = || fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"));
        let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
        if extension == Some("rs") {
            findings.extend(rust::check(&source::Source::read(path, &read()?)));
        } else if path.ends_with("Cargo.toml") && path != "Cargo.toml" {
            findings.extend(manifests::check(path, &read()?));
        } else if extension == Some("md") && links::is_checked(path) {
            findings.extend(links::check(root, path, &read()?));
        }
    }
    Ok(findings)
}

/// Lists the files under `folder`, without what is hidden or built.
fn list_files(root: &Path, folder: &str, paths: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(root.join(folder)).with_context(|| format!("cannot list {folder}"))? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') || name == "target" {
            continue;
        }
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        if entry.file_type()?.is_dir() {
            list_files(root, &path, paths)?;
        } else {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let findings = findings(root()).expect("the workspace can be read");
        let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert!(lines.is_empty(), "house rules are broken:\n{}", lines.join("\n"));
    }

    #[test]
    fn a_finding_reads_like_a_compiler_message() {
        assert_eq!(Finding::new("a/b.rs", 3, "no.").to_string(), "a/b.rs:3: no.");
    }
}
