//! Long output on a terminal goes through a pager. Where there is none it is just written.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

/// Lines that are taken for a terminal's height where that is not known.
const USUAL_LINES: usize = 24;

/// A program that shows text page by page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pager {
    program: String,
    arguments: Vec<String>,
    /// Whether `less` has to be told to show colours and to end by itself.
    tell_less: bool,
}

impl Pager {
    /// From a command such as `less -FRX`; none if it is empty or `cat`, which shows nothing page by page.
    pub(crate) fn new(command: &str, tell_less: bool) -> Option<Self> {
        let mut words = command.split_whitespace().map(str::to_owned);
        let program = words.next().filter(|program| program != "cat")?;
        Some(Self { program, arguments: words.collect(), tell_less })
    }

    /// Shows a text if it is longer than the terminal; gives whether it did.
    pub(crate) fn show(&self, text: &[u8]) -> io::Result<bool> {
        if !is_long(text) {
            return Ok(false);
        }
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::piped());
        if self.tell_less {
            command.env("LESS", "FRX");
        }
        // A pager that is not installed is no reason to show nothing, nor one to complain.
        let Ok(mut pager) = command.spawn() else { return Ok(false) };
        if let Some(mut input) = pager.stdin.take() {
            match input.write_all(text) {
                // Whoever leaves early has seen enough.
                Err(err) if err.kind() != io::ErrorKind::BrokenPipe => return Err(err),
                _ => {}
            }
        }
        pager.wait()?;
        Ok(true)
    }
}

/// Whether a text has more lines than the terminal shows. Lines that wrap count as one: a pager for a few lines too many
/// to fit would be worse than none.
fn is_long(text: &[u8]) -> bool {
    let height = terminal_size::terminal_size().map_or(USUAL_LINES, |(_, height)| usize::from(height.0));
    // The prompt takes a line of its own.
    text.split(|byte| *byte == b'\n').count() > height
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_cut_at_its_spaces_and_none_is_none() {
        let pager = Pager::new("less -F  -R", true).unwrap();
        assert_eq!(
            (pager.program.as_str(), pager.arguments.as_slice()),
            ("less", &["-F".to_owned(), "-R".to_owned()][..])
        );
        assert_eq!(Pager::new("", true), None);
        assert_eq!(Pager::new("cat", true), None);
    }
}
