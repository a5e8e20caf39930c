//! A Rust file split into code and string literals, so that rules do not stumble over comments.

/// One line of a Rust file, without its comments.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// Everything but comments and the insides of literals.
    pub(super) code: String,
    /// The insides of the string literals.
    pub(super) literals: String,
}

/// A Rust file as the rules see it.
#[derive(Debug)]
pub(super) struct Source {
    /// Relative to the workspace, with `/`.
    pub(super) path: String,
    /// Its first line as it stands.
    pub(super) first_line: String,
    /// The lines before the file's own `#[cfg(test)] mod tests`.
    pub(super) lines: Vec<Line>,
}

/// What the next character belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    LineComment,
    BlockComment { depth: usize },
    Literal,
    RawLiteral { hashes: usize },
}

impl Source {
    pub(super) fn read(path: &str, text: &str) -> Self {
        let mut lines = split(text);
        lines.truncate(lines_before_tests(text));
        Self { path: path.to_owned(), first_line: text.lines().next().unwrap_or_default().to_owned(), lines }
    }

    /// Whether the file is compiled only for tests or builds, where most rules rest.
    pub(super) fn is_test(&self) -> bool {
        self.path.contains("/tests/")
            || self.path.contains("/benches/")
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("/build.rs")
    }
}

/// How many lines stand before the tests at the end of the file.
fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let is_start = |&index: &usize| {
        let next = lines[index + 1..].iter().find(|line| !line.starts_with("#["));
        lines[index] == "#[cfg(test)]" && next.is_some_and(|line| line.starts_with("mod tests {"))
    };
    (0..lines.len()).find(is_start).unwrap_or(lines.len())
}

fn split(text: &str) -> Vec<Line> {
    let characters: Vec<char> = text.chars().collect();
    let mut lines = Vec::new();
    let mut line = Line::default();
    let mut state = State::Code;
    let mut index = 0;
    while let Some(&character) = characters.get(index) {
        if character == '\n' {
            lines.push(std::mem::take(&mut line));
            if state == State::LineComment {
                state = State::Code;
            }
            index += 1;
            continue;
        }
        let rest = &characters[index..];
        let (next, length) = step(state, rest, line.code.chars().next_back());
        match (state, next) {
            (State::Code, State::Code | State::Literal | State::RawLiteral { .. }) => {
                // A character literal is kept only as its quotes, like a string literal.
                let shown = if character == '\'' && length > 1 { &['\'', '\''] } else { &rest[..length] };
                line.code.extend(shown);
            }
            (State::Literal, State::Literal) | (State::RawLiteral { .. }, State::RawLiteral { .. }) => {
                line.literals.extend(&rest[..length]);
            }
            (State::Literal | State::RawLiteral { .. }, State::Code) => {
                line.code.push('"');
                // What stood in two literals must not read as one.
                line.literals.push('\n');
            }
            _ => {}
        }
        state = next;
        index += length;
    }
    // Without the empty line after the last line end.
    if line != Line::default() {
        lines.push(line);
    }
    lines
}

/// The state after the characters at the start of `rest`, and how many they are. Never steps over the end of a line,
/// except in a literal after a backslash, where it takes the backslash alone.
fn step(state: State, rest: &[char], previous: Option<char>) -> (State, usize) {
    let second = rest.get(1).copied();
    match (state, rest[0], second) {
        (State::Code, '/', Some('/')) => (State::LineComment, 2),
        (State::Code, '/', Some('*')) => (State::BlockComment { depth: 1 }, 2),
        (State::Code, '"', _) => (State::Literal, 1),
        (State::Code, '\'', _) => (State::Code, character_literal(rest).unwrap_or(1)),
        (State::Code, 'r', _) => raw_literal(rest, previous).unwrap_or((State::Code, 1)),
        (State::BlockComment { depth }, '/', Some('*')) => (State::BlockComment { depth: depth + 1 }, 2),
        (State::BlockComment { depth: 1 }, '*', Some('/')) => (State::Code, 2),
        (State::BlockComment { depth }, '*', Some('/')) => (State::BlockComment { depth: depth - 1 }, 2),
        (State::Literal, '\\', Some(escaped)) if escaped != '\n' => (State::Literal, 2),
        (State::Literal, '"', _) => (State::Code, 1),
        (State::RawLiteral { hashes }, '"', _)
            if rest[1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes =>
        {
            (State::Code, 1 + hashes)
        }
        (state, ..) => (state, 1),
    }
}

/// The length of the character literal that `rest` starts with; none if its quote starts a lifetime.
fn character_literal(rest: &[char]) -> Option<usize> {
    match rest {
        ['\'', '\\', _, more @ ..] => more.iter().position(|&next| next == '\'').map(|end| end + 4),
        ['\'', _, '\'', ..] => Some(3),
        _ => None,
    }
}

/// The state after the opening of the raw literal that `rest` starts with; none if its `r` is part of a name.
fn raw_literal(rest: &[char], previous: Option<char>) -> Option<(State, usize)> {
    let in_name = previous.is_some_and(|previous| previous.is_alphanumeric() || previous == '_');
    let hashes = rest[1..].iter().take_while(|&&next| next == '#').count();
    let opens = rest.get(1 + hashes) == Some(&'"');
    // `br"…"` and `cr"…"`: the letter before is part of the literal. A name that ends so cannot stand before a quote.
    let may_open = !in_name || matches!(previous, Some('b' | 'c'));
    (opens && may_open).then_some((State::RawLiteral { hashes }, 2 + hashes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_and_literals(text: &str) -> (String, String) {
        let source = Source::read("a.rs", text);
        let code: Vec<&str> = source.lines.iter().map(|line| line.code.trim()).collect();
        let literals: Vec<&str> = source.lines.iter().map(|line| line.literals.trim()).collect();
        (code.join("|"), literals.join("|"))
    }

    #[test]
    fn comments_vanish_and_literals_are_set_apart() {
        let cases = [
            ("let a = \"x // y\"; // z", "let a = \"\";", "x // y"),
            ("a /* b /* c */ d */ e", "a  e", ""),
            ("f(\"a\\\"b\", 'c', '\"', '\\'', '\\u{41}')", "f(\"\", '', '', '', '')", "a\\\"b"),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}", ""),
            ("r#\"one \" two\"# + br\"three\"", "r#\"\" + br\"\"", "one \" two\nthree"),
            ("\"one\ntwo\" + three", "\"|\" + three", "one|two"),
            ("/// doc\nfn f() {}", "|fn f() {}", "|"),
        ];
        for (text, code, literals) in cases {
            assert_eq!(code_and_literals(text), (code.to_owned(), literals.to_owned()), "{text}");
        }
    }

    #[test]
    fn the_tests_at_the_end_do_not_count() {
        let text = "//! A.\nfn a() {}\n#[cfg(test)]\n#[expect(dead_code, reason = \"b\")]\nmod tests {\n}\n";
        assert_eq!(Source::read("a.rs", text).lines.len(), 2);
        assert_eq!(Source::read("a.rs", "//! A.\n#[cfg(test)]\nuse b;\n").lines.len(), 3);
    }
}
