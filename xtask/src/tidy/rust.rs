//! The rules for Rust files.

use super::Finding;
use super::source::{Line, Source};

/// What a person still reads in one go; a file that grows beyond it holds two rooms.
const MOST_LINES: usize = 500;

/// Every rule of this file on one source.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let rules = [first_line, length, sql, composed_sql, web_framework, environment, printing, allow];
    rules.iter().flat_map(|rule| rule(source)).collect()
}

fn first_line(source: &Source) -> Vec<Finding> {
    if source.first_line.starts_with("//! ") {
        return Vec::new();
    }
    vec![Finding::new(&source.path, 1, "the first line must be a `//!` line that says what this file is for.")]
}

fn length(source: &Source) -> Vec<Finding> {
    let count = source.lines.len();
    if source.is_test() || count <= MOST_LINES {
        return Vec::new();
    }
    let sentence = format!("{count} lines before the tests are more than {MOST_LINES}; split the file by its jobs.");
    vec![Finding::new(&source.path, count, sentence)]
}

/// Handlers depend on the store's promises, never on its database.
fn sql(source: &Source) -> Vec<Finding> {
    // xtask names the keywords below; it has no database.
    if source.is_test() || within(source, &["crates/tracehub-core/src/store", "xtask/"]) {
        return Vec::new();
    }
    let keywords = ["SELECT ", "INSERT INTO", "DELETE FROM", "CREATE TABLE"];
    find(source, "SQL belongs in crates/tracehub-core/src/store.", |line| {
        keywords.iter().any(|keyword| line.literals.contains(keyword))
    })
}

/// What comes in is bound to a statement, never part of its text: then no text can be a statement.
fn composed_sql(source: &Source) -> Vec<Finding> {
    if source.is_test() || !within(source, &["crates/tracehub-core/src/store"]) {
        return Vec::new();
    }
    let keywords = ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM", "CREATE ", "PRAGMA ", "VACUUM "];
    find(source, "a statement is one literal; bind what changes in it.", |line| {
        line.literals.contains('{') && keywords.iter().any(|keyword| line.literals.contains(keyword))
    })
}

/// The web framework stays replaceable: only what serves HTTP knows it.
fn web_framework(source: &Source) -> Vec<Finding> {
    // The client's middleware is an optional feature; the folder's list of modules names it too.
    let rooms = ["crates/tracehub-server/", "examples/", "crates/tracehub-client/src/middleware/"];
    if source.is_test() || within(source, &rooms) {
        return Vec::new();
    }
    let sentence = "actix belongs in the server, the examples and the client's middleware.";
    find(source, sentence, |line| names(&line.code, "actix"))
}

/// The environment is an input like any other: read in one place of each crate, then handed on.
fn environment(source: &Source) -> Vec<Finding> {
    let rooms = ["/args.rs", "/builder.rs", "/settings.rs"];
    if source.is_test() || within(source, &["xtask/"]) || rooms.iter().any(|room| source.path.ends_with(room)) {
        return Vec::new();
    }
    find(source, "the environment is read only in args.rs, builder.rs and settings.rs.", |line| {
        names(&line.code, "env::var")
    })
}

/// A library must not write into its host's output, and the CLI writes where a closed pipe is an answer, not a panic.
fn printing(source: &Source) -> Vec<Finding> {
    if source.is_test() || within(source, &["xtask/"]) {
        return Vec::new();
    }
    let macros = ["print!", "println!", "eprint!", "eprintln!"];
    find(source, "only xtask prints with macros; write to a handle, or log.", |line| {
        macros.iter().any(|name| names(&line.code, name))
    })
}

/// Holds in tests too.
fn allow(source: &Source) -> Vec<Finding> {
    find(source, "write `#[expect(lint, reason = \"…\")]`, which says when it is no longer needed.", |line| {
        line.code.contains("#[allow(") || line.code.contains("#![allow(")
    })
}

fn within(source: &Source, folders: &[&str]) -> bool {
    folders.iter().any(|folder| source.path.starts_with(folder))
}

fn find(source: &Source, sentence: &str, breaks: impl Fn(&Line) -> bool) -> Vec<Finding> {
    let numbered = source.lines.iter().zip(1..);
    numbered.filter(|(line, _)| breaks(line)).map(|(_, number)| Finding::new(&source.path, number, sentence)).collect()
}

/// Whether `code` holds `name` at the start of a name.
fn names(code: &str, name: &str) -> bool {
    code.match_indices(name)
        .any(|(start, _)| !code[..start].ends_with(|previous: char| previous.is_alphanumeric() || previous == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_found(path: &str, text: &str) -> Vec<usize> {
        check(&Source::read(path, text)).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn each_rule_finds_its_breach_and_rests_where_it_should() {
        let cases = [
            ("fn main() {}", "xtask/src/a.rs"),
            ("//! A.\nlet query = \"SELECT 1\";", "crates/tracehub-core/src/store/a.rs"),
            ("//! A.\nuse actix_web::App;", "examples/a.rs"),
            ("//! A.\nuse actix_web::App;", "crates/tracehub-client/src/middleware/a.rs"),
            ("//! A.\nstd::env::var_os(\"A\");", "crates/tracehub-client/src/builder.rs"),
            ("//! A.\nprintln!();", "xtask/src/a.rs"),
        ];
        assert_eq!(lines_found(cases[0].1, cases[0].0), [1]);
        for (text, home) in &cases[1..] {
            assert_eq!(lines_found("crates/tracehub-cli/src/a.rs", text), [2], "{text}");
            assert!(lines_found(home, text).is_empty(), "{text} in {home}");
            assert!(lines_found("crates/tracehub-cli/tests/it/a.rs", text).is_empty(), "{text} in a test");
        }
    }

    #[test]
    fn a_statement_is_not_composed() {
        let composed = "//! A.\nformat!(\"SELECT {column} FROM entries\");\nformat!(\"{path} is no file\");";
        assert_eq!(lines_found("crates/tracehub-core/src/store/a.rs", composed), [2]);
        assert!(lines_found("crates/tracehub-core/tests/it/a.rs", composed).is_empty());
    }

    #[test]
    fn what_only_looks_like_a_breach_is_none() {
        let text = "//! SELECT 1, actix.\nlet a = my_println!(env!(\"println!\")); // println!(\nlet b = \"actix\";";
        assert!(lines_found("crates/tracehub-cli/src/a.rs", text).is_empty());
    }

    #[test]
    fn allow_is_refused_in_tests_too() {
        assert_eq!(lines_found("crates/a/tests/it/a.rs", "//! A.\n#[allow(dead_code)]\n#![allow(dead_code)]"), [2, 3]);
    }

    #[test]
    fn a_long_file_is_found_unless_its_tests_make_it_long() {
        let code = "//! A.\n".to_owned() + &"fn a() {}\n".repeat(495);
        assert!(lines_found("crates/a/src/a.rs", &code).is_empty());
        let tests = format!("{code}#[cfg(test)]\nmod tests {{\n{}}}\n", "    fn a() {}\n".repeat(100));
        assert!(lines_found("crates/a/src/a.rs", &tests).is_empty());
        assert_eq!(lines_found("crates/a/src/a.rs", &(code + &"fn b() {}\n".repeat(5))).len(), 1);
    }
}
