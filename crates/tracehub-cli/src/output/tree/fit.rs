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
    /// What a call spent itself, where calls inside it took some of its time.
    pub(super) self_time: String,
}

/// How wide each column is; 0 for one that is left out.
#[derive(Debug, PartialEq, Eq)]
struct Widths {
    offset: usize,
    label: usize,
    bar: usize,
    result: usize,
    self_time: usize,
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
        let offset = style::paint(style::FAINT, &format!("{:>width$}", line.offset, width = widths.offset));
        let label = line.label.fit(widths.label);
        let mut text = format!("{offset}  {}", label.painted());
        let mut column = label.width();
        let mut place = |text: &mut String, at: usize, what: &Text| {
            if !what.is_empty() {
                text.push_str(&" ".repeat(at.saturating_sub(column)));
                text.push_str(&what.painted());
                column = at + what.width();
            }
        };
        let mut at = widths.label + GAP;
        if let Some(time_line) = time_line {
            let (style, bar) = time_line.bar(line.stretch, line.style);
            place(&mut text, at, &Text::styled(style, bar));
            at += widths.bar + GAP;
        }
        place(&mut text, at + widths.result.saturating_sub(line.result.width()), &line.result);
        at += widths.result + GAP;
        if widths.self_time > 0 && !line.self_time.is_empty() {
            place(&mut text, at, &Text::styled(style::FAINT, format!("self {}", line.self_time)));
        }
        writeln!(out, "{text}")?;
    }
    Ok(())
}

impl Widths {
    /// What the lines would like.
    fn of(lines: &[Line], bars: bool) -> Self {
        let widest = |width: &dyn Fn(&Line) -> usize| lines.iter().map(width).max().unwrap_or(0);
        let self_time = widest(&|line| line.self_time.len());
        Self {
            offset: widest(&|line| line.offset.len()),
            label: widest(&|line| line.label.width()),
            bar: if bars { USUAL_BAR } else { 0 },
            result: widest(&|line| line.result.width()),
            self_time: if self_time == 0 { 0 } else { self_time + "self ".len() },
        }
    }

    /// What they get. On a narrow terminal self times go first, bars next, and labels are cut last.
    fn fit(self, terminal: Option<usize>) -> Self {
        let Some(terminal) = terminal else { return self };
        let room = |widths: &Self| {
            let others = [widths.result, widths.self_time].into_iter().filter(|width| *width > 0);
            terminal.saturating_sub(widths.offset + GAP + others.map(|width| width + GAP).sum::<usize>())
        };
        if self.bar > 0 {
            for self_time in [self.self_time, 0] {
                let tried = Self { self_time, ..self };
                let room = room(&tried);
                if room >= self.label.min(NARROWEST_LABEL * 2) + GAP + SHORTEST_BAR {
                    let label = self.label.min(share(room)).min(room - GAP - SHORTEST_BAR);
                    let bar = (room - GAP - label).min(LONGEST_BAR);
                    return Self { label: self.label.min(room - GAP - bar), bar, self_time, ..self };
                }
            }
        }
        let narrow = Self { bar: 0, ..self };
        let narrow = if room(&narrow) >= self.label { narrow } else { Self { self_time: 0, ..narrow } };
        Self { label: self.label.min(room(&narrow)).max(NARROWEST_LABEL), ..narrow }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of what a terminal has")]
fn share(room: usize) -> usize {
    (room as f64 * LABELS_SHARE) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(terminal: usize) -> (usize, usize, usize) {
        let wanted = Widths { offset: 8, label: 40, bar: USUAL_BAR, result: 10, self_time: 12 };
        let Widths { label, bar, self_time, .. } = wanted.fit(Some(terminal));
        (label, bar, self_time)
    }

    #[test]
    fn self_times_go_first_then_bars_and_labels_are_cut_last() {
        assert_eq!(fitted(200), (40, LONGEST_BAR, 12));
        assert_eq!(fitted(100), (38, 24, 12));
        assert_eq!(fitted(80), (26, 16, 12));
        assert_eq!(fitted(60), (22, 14, 0));
        assert_eq!(fitted(50), (28, 0, 0));
        assert_eq!(fitted(20), (NARROWEST_LABEL, 0, 0));
    }
}
