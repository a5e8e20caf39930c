//! The rules for the members' manifests: what they share is said once, in the workspace's own.

use super::Finding;

/// Every rule of this file on one member's `Cargo.toml`.
pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let lines: Vec<Line<'_>> = lines(text).collect();
    [lints, versions, web_framework].iter().flat_map(|rule| rule(path, &lines)).collect()
}

/// A line and the table it stands in.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    number: usize,
    table: &'a str,
    text: &'a str,
}

/// The lines that start a key. Those that go on with a value over several lines are indented or start with a bracket.
fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut table = "";
    text.lines().zip(1..).filter_map(move |(text, number)| {
        if let Some(name) = text.strip_prefix('[') {
            table = name.trim_end().trim_end_matches(']').trim_start_matches('[');
        }
        text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[').then_some(Line {
            number,
            table,
            text,
        })
    })
}

fn lints(path: &str, lines: &[Line<'_>]) -> Vec<Finding> {
    if lines.iter().any(|line| line.table == "lints" && line.text.trim() == "workspace = true") {
        return Vec::new();
    }
    let last = lines.last().map_or(1, |line| line.number);
    vec![Finding::new(path, last, "add `[lints]` with `workspace = true`, so that this member keeps the same rules.")]
}

fn versions(path: &str, lines: &[Line<'_>]) -> Vec<Finding> {
    let sentence = "a dependency takes its version from the workspace: `name.workspace = true`.";
    dependencies(lines)
        .filter(|line| !line.text.contains("workspace = true"))
        .map(|line| Finding::new(path, line.number, sentence))
        .collect()
}

fn web_framework(path: &str, lines: &[Line<'_>]) -> Vec<Finding> {
    if path.starts_with("crates/tracehub-server/") || path.starts_with("examples/") {
        return Vec::new();
    }
    let sentence = "actix belongs in the server, the examples and the client's feature.";
    // Whoever embeds the client chooses its web framework: there, actix must be optional.
    let is_feature =
        |line: &&Line<'_>| path.starts_with("crates/tracehub-client/") && line.text.contains("optional = true");
    dependencies(lines)
        .filter(|line| !line.table.ends_with("dev-dependencies") && line.text.starts_with("actix"))
        .filter(|line| !is_feature(line))
        .map(|line| Finding::new(path, line.number, sentence))
        .collect()
}

/// The lines that name a dependency. A dependency that is a table of its own counts as its header, which says no
/// version and so is found: one line each is the house's way.
fn dependencies<'a>(lines: &'a [Line<'a>]) -> impl Iterator<Item = &'a Line<'a>> {
    lines.iter().filter(|line| {
        let is_header = line.text.starts_with('[');
        let name = line.table.rsplit('.').next().unwrap_or_default();
        if name.ends_with("dependencies") { !is_header } else { is_header && line.table.contains("dependencies.") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"a\"\nversion.workspace = true\n\n[dependencies]\nb.workspace = true\n\
        c = { workspace = true, features = [\n    \"d\",\n] }\n\n[lints]\nworkspace = true\n";

    fn lines_found(text: &str) -> Vec<usize> {
        check("crates/a/Cargo.toml", text).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_manifest_that_inherits_everything_is_fine() {
        assert!(lines_found(GOOD).is_empty());
    }

    #[test]
    fn versions_and_paths_of_its_own_are_found() {
        let of_its_own = ["b = \"1\"", "b = { version = \"1\" }", "b = { path = \"../b\" }"];
        for line in of_its_own {
            assert_eq!(lines_found(&GOOD.replace("b.workspace = true", line)), [6], "{line}");
        }
        assert_eq!(lines_found(&format!("{GOOD}[target.'cfg(unix)'.dev-dependencies]\ne = \"1\"\n")), [14]);
        assert_eq!(lines_found(&format!("{GOOD}[dependencies.e]\nversion = \"1\"\n")), [13]);
    }

    #[test]
    fn lints_of_its_own_are_found() {
        assert_eq!(lines_found(&GOOD.replace("[lints]", "[lints.rust]")).len(), 1);
    }

    #[test]
    fn actix_is_found_outside_the_server() {
        let text = GOOD.replace("b.workspace", "actix-web.workspace");
        assert_eq!(lines_found(&text), [6]);
        assert!(check("examples/Cargo.toml", &text).is_empty());
        assert!(lines_found(&text.replace("[dependencies]", "[dev-dependencies]")).is_empty());
        let client = "crates/tracehub-client/Cargo.toml";
        assert_eq!(check(client, &text).len(), 1);
        let optional = GOOD.replace("b.workspace = true", "actix-web = { workspace = true, optional = true }");
        assert!(check(client, &optional).is_empty());
        assert_eq!(lines_found(&optional), [6]);
    }
}
