//! How far long work is: a bar on standard error, on a terminal only. What is refused is said anywhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::escape::harmless;
use super::text::Text;
use super::{format, style};

/// How often the line is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);
/// Before so much time nobody can say how much more it takes.
const ESTIMATED_FROM: Duration = Duration::from_secs(1);
/// Back to the line's beginning, and nothing on it.
const CLEAR: &str = "\r\u{1b}[K";
/// Columns of the bar; fewer on a narrow terminal.
const LONGEST_BAR: usize = 30;
/// Columns that are taken for a terminal's width where that is not known.
const USUAL_WIDTH: usize = 80;

/// The bar, as long as the work goes on. Dropped before its end (Ctrl-C), it says how far sending came.
pub(crate) struct Progress {
    /// Whether anybody sees it.
    is_shown: bool,
    /// What is done in all, in bytes or whatever else is counted, where that is known.
    size: Option<u64>,
    /// Whether it matters later how far the work came.
    is_kept: bool,
    entries: u64,
    begun: Instant,
    next_draw: Instant,
    finished: bool,
}

impl Progress {
    /// Of entries that are sent.
    pub(crate) fn of_sending(size: Option<u64>) -> Self {
        Self::new(size, true, true)
    }

    /// Of entries that are written; `beside_screen` says that they are not shown on this very terminal.
    pub(crate) fn of_writing(size: Option<u64>, beside_screen: bool) -> Self {
        Self::new(size, false, beside_screen)
    }

    fn new(size: Option<u64>, is_kept: bool, wanted: bool) -> Self {
        let begun = Instant::now();
        let is_shown = wanted && io::stderr().is_terminal();
        Self { is_shown, size, is_kept, entries: 0, begun, next_draw: begun + DRAW_EVERY, finished: false }
    }

    /// So many entries are done, and so much of what there is.
    pub(crate) fn reached(&mut self, entries: u64, part: u64) {
        self.entries = entries;
        if self.is_shown && Instant::now() >= self.next_draw {
            let width = terminal_size::terminal_size_of(io::stderr()).map_or(USUAL_WIDTH, |(width, _)| width.0.into());
            self.draw(&line(entries, self.size.map(|size| (part, size)), self.begun.elapsed(), width));
        }
    }

    /// The server is busy.
    pub(crate) fn waits(&mut self, wait: Duration) {
        let done = format::entries(self.entries);
        let text = format!("{done}; the server is busy, again in {:.1} s", wait.as_secs_f64());
        if self.is_shown {
            self.draw(&Text::plain(text));
        }
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

    fn draw(&mut self, text: &Text) {
        self.next_draw = Instant::now() + DRAW_EVERY;
        // A stream that takes colours away would take the clearing of the line too.
        self.clear();
        // Progress that cannot be shown is no reason to stop.
        let _ = write!(anstream::stderr(), "{}", text.painted());
    }

    fn clear(&self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "{CLEAR}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if !self.finished {
            self.clear();
            if self.is_kept {
                say(&format!("stopped after {} that the server acknowledged", format::entries(self.entries)));
            }
        }
    }
}

/// `━━━━━━────  45 %  135,000 entries  23,400/s  8 s left`, without a bar where nobody knows how much there is.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "parts of a whole, and positive")]
fn line(entries: u64, part: Option<(u64, u64)>, elapsed: Duration, width: usize) -> Text {
    let share = part.filter(|(_, size)| *size > 0).map(|(part, size)| (part as f64 / size as f64).min(1.0));
    let seconds = elapsed.as_secs_f64();
    let count = if entries == 1 { "1 entry".to_owned() } else { format!("{} entries", format::grouped(entries)) };
    let mut text = Text::default();
    if let Some(share) = share {
        let columns = LONGEST_BAR.min(width / 3);
        let full = (share * columns as f64) as usize;
        text = text.and(style::GOOD, "━".repeat(full)).and(style::FAINT, "─".repeat(columns - full));
        text = text.join(Text::plain(format!("  {:.0} %  ", (share * 100.0).floor())));
    }
    text = text.join(Text::plain(count));
    if elapsed >= ESTIMATED_FROM {
        text = text.join(Text::plain(format!("  {}/s", format::grouped((entries as f64 / seconds) as u64))));
        if let Some(share) = share.filter(|share| *share > 0.0) {
            let left = (seconds / share - seconds).ceil();
            // Nobody knows it to parts of a second.
            let left = if left < 60.0 { format!("{left:.0} s") } else { format::duration(left * 1000.0) };
            text = text.join(Text::styled(style::FAINT, format!("  {left} left")));
        }
    }
    // The last column is left free: some terminals go to the next line when it is written.
    text.fit(width.saturating_sub(1))
}

/// A file was written.
pub(crate) fn wrote(entries: u64, path: &Path) {
    say(&format!("wrote {} to {}", format::entries(entries), path.display()));
}

fn say(text: &str) {
    let _ = writeln!(io::stderr(), "tracehub-cli: {}", harmless(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_says_how_far_how_fast_and_how_long() {
        let shown = |entries, part, seconds, width| {
            let text = line(entries, part, Duration::from_secs_f64(seconds), width).painted();
            anstream::adapter::strip_str(&text).to_string()
        };
        assert_eq!(
            shown(135_000, Some((45, 100)), 6.0, 100),
            "━━━━━━━━━━━━━─────────────────  45 %  135,000 entries  22,500/s  8 s left"
        );
        assert_eq!(shown(1, Some((0, 100)), 0.5, 30), "──────────  0 %  1 entry");
        assert_eq!(shown(500, None, 2.0, 80), "500 entries  250/s");
        // A file that has grown meanwhile.
        assert!(shown(9, Some((300, 200)), 2.0, 80).contains("100 %  9 entries  4/s  0 s left"));
        assert!(shown(135_000, Some((45, 100)), 6.0, 20).ends_with('…'));
    }
}
