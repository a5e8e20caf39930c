//! How far long work is: one line on standard error, on a terminal only. What is refused is said anywhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::escape::harmless;
use super::format;

/// How often the line is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);
/// Back to the line's beginning, and nothing on it.
const CLEAR: &str = "\r\u{1b}[K";

/// The line, as long as the work goes on. Dropped before its end (Ctrl-C), it says how far that came.
pub(crate) struct Progress {
    is_terminal: bool,
    /// Bytes in all, where that is known.
    size: Option<u64>,
    acknowledged: u64,
    next_draw: Instant,
    finished: bool,
}

impl Progress {
    pub(crate) fn new(size: Option<u64>) -> Self {
        let is_terminal = io::stderr().is_terminal();
        Self { is_terminal, size, acknowledged: 0, next_draw: Instant::now() + DRAW_EVERY, finished: false }
    }

    /// So many entries are done, and so many bytes.
    pub(crate) fn reached(&mut self, entries: u64, bytes: u64) {
        self.acknowledged = entries;
        let share = self.size.filter(|size| *size > 0).map(|size| format!(", {} %", bytes.saturating_mul(100) / size));
        self.draw(&format!("{}{}", format::entries(entries), share.unwrap_or_default()), false);
    }

    /// The server is busy.
    pub(crate) fn waits(&mut self, wait: Duration) {
        let done = format::entries(self.acknowledged);
        self.draw(&format!("{done}; the server is busy, again in {:.1} s", wait.as_secs_f64()), true);
    }

    /// A line is no entry.
    pub(crate) fn refused(&mut self, line: u64, reason: &str) {
        self.clear();
        say(&format!("line {line} is refused: {reason}"));
    }

    pub(crate) fn finish(mut self) {
        self.clear();
        self.finished = true;
    }

    fn draw(&mut self, text: &str, now: bool) {
        if self.is_terminal && (now || Instant::now() >= self.next_draw) {
            self.next_draw = Instant::now() + DRAW_EVERY;
            // Progress that cannot be shown is no reason to stop.
            let _ = write!(io::stderr(), "{CLEAR}{text}");
        }
    }

    fn clear(&self) {
        if self.is_terminal {
            let _ = write!(io::stderr(), "{CLEAR}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if !self.finished {
            self.clear();
            say(&format!("stopped after {} that the server acknowledged", format::entries(self.acknowledged)));
        }
    }
}

/// A file was written.
pub(crate) fn wrote(entries: u64, path: &Path) {
    say(&format!("wrote {} to {}", format::entries(entries), path.display()));
}

fn say(text: &str) {
    let _ = writeln!(io::stderr(), "tracehub-cli: {}", harmless(text));
}
