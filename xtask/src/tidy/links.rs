//! The rule for the documents: a link to a file leads to a file.

use std::path::Path;

use super::Finding;

/// Whether the links of the document at `path` are checked: those a reader of the repository is led to.
pub(super) fn is_checked(path: &str) -> bool {
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"].contains(&path) || path.starts_with("docs/")
}

/// Finds the links of one document that lead nowhere.
pub(super) fn check(root: &Path, path: &str, text: &str) -> Vec<Finding> {
    let folder = root.join(path).parent().unwrap_or(root).to_owned();
    let mut findings = Vec::new();
    let mut in_code = false;
    for (line, number) in text.lines().zip(1..) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in targets(line) {
            let file = target.split(['#', '?']).next().unwrap_or_default();
            let exists = match file.strip_prefix('/') {
                Some(from_root) => root.join(from_root).exists(),
                None => folder.join(file).exists(),
            };
            if !exists {
                findings.push(Finding::new(path, number, format!("the link leads to {target}, which does not exist.")));
            }
        }
    }
    findings
}

/// The local targets of the links in a line: `[text](target "title")` and `[name]: target`, outside of `code`.
fn targets(line: &str) -> Vec<&str> {
    let inline = line.match_indices("](").filter_map(|(start, opening)| {
        // An odd number of backticks before it: the link is an example.
        let is_code = line[..start].matches('`').count() % 2 == 1 && line[start..].contains('`');
        let rest = &line[start + opening.len()..];
        rest.find([')', ' ']).filter(|_| !is_code).map(|end| &rest[..end])
    });
    let reference = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target.trim());
    let is_local =
        |target: &&str| !target.contains("://") && !target.starts_with("mailto:") && !target.starts_with('#');
    inline.chain(reference).filter(is_local).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_targets_are_told_from_others() {
        let line = "[a](b.md#c) and ![d](/e.png \"f\"), [g](https://h), [i](#j), [k](mailto:l), `[m](n)`, [o](p/)";
        assert_eq!(targets(line), ["b.md#c", "/e.png", "p/"]);
        assert_eq!(targets("[q]: ../r.md"), ["../r.md"]);
        assert!(targets("a[0] (b)").is_empty());
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found_with_its_line() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("docs")).expect("a folder");
        std::fs::write(folder.path().join("README.md"), "").expect("a file");
        let text = "[up](../README.md#top)\n[root](/README.md)\n```\n[code](none.md)\n```\n[gone](gone.md)\n";
        let findings = check(folder.path(), "docs/a.md", text);
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [6]);
    }
}
