//! A stretch of time as a bar among others of the same chain.

use anstyle::Style;

use super::style;

/// The time of a whole chain, laid out on so many columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeLine {
    start: f64,
    duration: f64,
    columns: usize,
}

/// What is drawn, with times in Unix ms.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stretch {
    /// From one time to another.
    Call { start: f64, end: f64 },
    /// From a time on, without an end.
    Unfinished { start: f64 },
    /// An end without a beginning.
    Orphan { end: f64 },
    /// A point in time.
    Mark { at: f64 },
}

impl TimeLine {
    /// None where there is no time to lay out.
    pub(super) fn new(start: f64, end: f64, columns: usize) -> Option<Self> {
        let duration = end - start;
        (duration > 0.0 && duration.is_finite() && columns > 0).then_some(Self { start, duration, columns })
    }

    /// The bar, as wide as the time line at the most, and its style; `style` is that of a call that came back.
    pub(super) fn bar(&self, stretch: Stretch, style: Style) -> (Style, String) {
        let (from, to, piece, style) = match stretch {
            Stretch::Call { start, end } => (start, end, '━', style),
            Stretch::Unfinished { start } => (start, f64::INFINITY, '╍', style::BAD),
            Stretch::Orphan { end } => (end, end, '╸', style::BAD),
            Stretch::Mark { at } => (at, at, '·', style::FAINT),
        };
        let first = self.column(from, f64::floor).min(self.columns - 1);
        let length = self.column(to, f64::ceil).saturating_sub(first).max(1);
        let mut bar = " ".repeat(first);
        bar.extend(std::iter::repeat_n(piece, length));
        (style, bar)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the columns first")]
    fn column(&self, time: f64, round: fn(f64) -> f64) -> usize {
        let columns = self.columns as f64;
        round((time - self.start) / self.duration * columns).clamp(0.0, columns) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_lie_where_their_time_is() {
        let line = TimeLine::new(100.0, 200.0, 10).unwrap();
        for (stretch, bar) in [
            (Stretch::Call { start: 100.0, end: 200.0 }, "━━━━━━━━━━"),
            (Stretch::Call { start: 120.0, end: 139.0 }, "  ━━"),
            // However short, it is seen; however far out, it stays on the line.
            (Stretch::Call { start: 150.0, end: 150.0 }, "     ━"),
            (Stretch::Call { start: 200.0, end: 200.0 }, "         ━"),
            (Stretch::Call { start: 0.0, end: 900.0 }, "━━━━━━━━━━"),
            (Stretch::Unfinished { start: 175.0 }, "       ╍╍╍"),
            (Stretch::Orphan { end: 130.0 }, "   ╸"),
            (Stretch::Mark { at: 200.0 }, "         ·"),
        ] {
            assert_eq!(line.bar(stretch, Style::new()).1, bar, "{stretch:?}");
        }
    }

    #[test]
    fn no_time_is_no_line() {
        assert!(TimeLine::new(1.0, 1.0, 10).is_none());
        assert!(TimeLine::new(f64::MIN, f64::MAX, 10).is_none());
    }
}
