//! The lines of a tree, lined up, with bars where there is room for them.

use std::io::{self, Write};

use anstyle::Style;

use super::super::bar::{Stretch, TimeLine};
use super::super::style;
use super::super::text::Text;

/// Columns of a time line where there is no terminal to say how many there are.
const USUAL_BAR: usize = 24;
/// Below this a bar tells nothing.
const SHORTEST_BAR: usize = 8;
const LONGEST_BAR: usize = 60;
/// Of the columns of a terminal that bars and labels share, labels that need more get this part.
const LABELS_SHARE: f64 = 0.6;
/// Labels are not cut to less.
const NARROWEST_LABEL: usize = 12;
/// Between two columns.
const GAP: usize = 2;

/// A line before it is lined up.
pub(super) struct Line {
    /// How long after the first entry.
    pub(super) offset: String,
    pub(super) label: Text,
    pub(super) stretch: Stretch,
    /// The bar's, where the call came back.
    pub(super) style: Style,
    pub(super) result: Text,
    /// The result in fewer words.
    pub(super) short_result: Text,
    /// What a call spent itself, where calls inside it took some of its time.
    pub(super) self_time: String,
}

impl Line {
    /// Whether the result takes the place of the self time too: what has not come back has none.
    fn is_open(&self) -> bool {
        matches!(self.stretch, Stretch::Unfinished { .. })
    }
}

/// How wide each column is; 0 for one that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Widths {
    offset: usize,
    label: usize,
    bar: usize,
    result: usize,
    self_time: usize,
    /// The result of what has not come back, and the same in fewer words.
    open: usize,
    short_open: usize,
}

/// Writes lines whose stretches lie between two times, Unix ms.
pub(super) fn write(
    out: &mut impl Write,
    lines: Vec<Line>,
    (start, end): (f64, f64),
    terminal: Option<usize>,
) -> io::Result<()> {
    // One bar alone says nothing that its duration does not say.
    let bars = lines.len() > 1 && TimeLine::new(start, end, USUAL_BAR).is_some();
    let widths = Widths::of(&lines, bars).fit(terminal);
    let time_line = TimeLine::new(start, end, widths.bar);
    for line in lines {
        let mut text = Text::default();
        if widths.offset > 0 {
            let offset = format!("{:>width$}", line.offset, width = widths.offset);
            text = Text::styled(style::FAINT, offset).and(Style::new(), " ".repeat(GAP));
        }
        let start = text.width();
        text = text.join(line.label.clone().fit(widths.label));
        let mut place = |at: usize, what: Text| {
            if !what.is_empty() {
                let gap = " ".repeat((start + at).saturating_sub(text.width()));
                text = std::mem::take(&mut text).and(Style::new(), gap).join(what);
            }
        };
        let mut at = widths.label + GAP;
        if let Some(time_line) = time_line {
            let (style, bar) = time_line.bar(line.stretch, line.style);
            place(at, Text::styled(style, bar));
            at += widths.bar + GAP;
        }
        if line.is_open() {
            place(at, if line.result.width() <= widths.open { line.result } else { line.short_result });
        } else {
            place(at + widths.result.saturating_sub(line.result.width()), line.result);
        }
        if widths.self_time > 0 && !line.self_time.is_empty() {
            place(at + widths.result + GAP, Text::styled(style::FAINT, format!("self {}", line.self_time)));
        }
        writeln!(out, "{}", text.fit(terminal.unwrap_or(usize::MAX)).painted())?;
    }
    Ok(())
}

impl Widths {
    /// What the lines would like.
    fn of(lines: &[Line], bars: bool) -> Self {
        let widest = |open: bool, width: &dyn Fn(&Line) -> usize| {
            lines.iter().filter(|line| !open || line.is_open()).map(width).max().unwrap_or(0)
        };
        let self_time = widest(false, &|line| line.self_time.len());
        Self {
            offset: widest(false, &|line| line.offset.len()),
            label: widest(false, &|line| line.label.width()),
            bar: if bars { USUAL_BAR } else { 0 },
            result: widest(false, &|line| if line.is_open() { 0 } else { line.result.width() }),
            self_time: if self_time == 0 { 0 } else { self_time + "self ".len() },
            open: widest(true, &|line| line.result.width()),
            short_open: widest(true, &|line| line.short_result.width()),
        }
    }

    /// What they get. On a narrow terminal self times go first, bars next; then words are saved, offsets go, and labels
    /// are cut last.
    fn fit(self, terminal: Option<usize>) -> Self {
        let Some(terminal) = terminal else { return self };
        if self.bar > 0 {
            for self_time in [self.self_time, 0] {
                let tried = Self { self_time, ..self };
                let room = tried.room(terminal);
                if room >= self.label.min(NARROWEST_LABEL * 2) + GAP + SHORTEST_BAR {
                    let label = self.label.min(share(room)).min(room - GAP - SHORTEST_BAR);
                    let bar = (room - GAP - label).min(LONGEST_BAR);
                    return Self { label: self.label.min(room - GAP - bar), bar, ..tried };
                }
            }
        }
        let mut narrow = Self { bar: 0, ..self };
        if narrow.room(terminal) < self.label {
            narrow.self_time = 0;
        }
        if narrow.room(terminal) < self.label.min(NARROWEST_LABEL) {
            narrow.open = self.short_open;
        }
        if narrow.room(terminal) < self.label.min(NARROWEST_LABEL) {
            narrow.offset = 0;
        }
        Self { label: self.label.min(narrow.room(terminal)).max(NARROWEST_LABEL), ..narrow }
    }

    /// What bars and labels have of a terminal.
    fn room(&self, terminal: usize) -> usize {
        let with_gap = |width: usize| if width > 0 { width + GAP } else { 0 };
        let results = (with_gap(self.result) + with_gap(self.self_time)).max(with_gap(self.open));
        terminal.saturating_sub(with_gap(self.offset) + results)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of what a terminal has")]
fn share(room: usize) -> usize {
    (room as f64 * LABELS_SHARE) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Widths =
        Widths { offset: 8, label: 40, bar: USUAL_BAR, result: 10, self_time: 12, open: 20, short_open: 10 };

    fn fitted(terminal: usize) -> (usize, usize, usize) {
        let Widths { label, bar, self_time, .. } = WANTED.fit(Some(terminal));
        (label, bar, self_time)
    }

    #[test]
    fn self_times_go_first_then_bars_and_labels_are_cut_last() {
        assert_eq!(fitted(200), (40, LONGEST_BAR, 12));
        assert_eq!(fitted(100), (38, 24, 12));
        assert_eq!(fitted(80), (26, 16, 12));
        // What has not come back says more than a duration.
        assert_eq!(fitted(66), (20, 12, 0));
        assert_eq!(fitted(60), (28, 0, 0));
        assert_eq!(fitted(20), (NARROWEST_LABEL, 0, 0));
        let narrow = WANTED.fit(Some(40));
        assert_eq!((narrow.offset, narrow.open), (8, 10));
        assert_eq!(WANTED.fit(Some(30)).offset, 0);
    }
}
