//! Text in several styles that knows how wide it is, and can be cut to fit.

use std::io::{self, Write};

use anstyle::Style;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::style;

/// What stands for what was cut off.
const ELLIPSIS: char = '…';

/// Pieces of text, each harmless already, each in a style.
#[derive(Debug, Clone, Default)]
pub(super) struct Text(Vec<(Style, String)>);

impl Text {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::styled(Style::new(), text)
    }

    pub(super) fn styled(style: Style, text: impl Into<String>) -> Self {
        Self(vec![(style, text.into())])
    }

    /// This, and more after it.
    pub(super) fn and(mut self, style: Style, text: impl Into<String>) -> Self {
        self.0.push((style, text.into()));
        self
    }

    /// This, and all of another after it.
    pub(super) fn join(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, text)| text.is_empty())
    }

    /// In columns of a terminal.
    pub(super) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.width()).sum()
    }

    /// Cut so that it takes no more columns than this, with an ellipsis where something is missing.
    pub(super) fn fit(mut self, columns: usize) -> Self {
        if self.width() <= columns {
            return self;
        }
        let mut left = columns.saturating_sub(1);
        for piece in 0..self.0.len() {
            let text = &mut self.0[piece].1;
            let width = text.width();
            if width <= left {
                left -= width;
                continue;
            }
            let mut kept = String::new();
            for character in text.chars() {
                let width = character.width().unwrap_or(0);
                if width > left {
                    break;
                }
                left -= width;
                kept.push(character);
            }
            if columns > 0 {
                kept.push(ELLIPSIS);
            }
            *text = kept;
            self.0.truncate(piece + 1);
            break;
        }
        self
    }

    /// On as many lines as it takes so that none has more columns than this, those after the first set in. Breaks at
    /// spaces where there are any, and loses nothing but these.
    fn wrapped(self, columns: usize, indent: usize) -> Vec<Self> {
        if self.width() <= columns {
            return vec![self];
        }
        // On the narrowest terminals being set in costs more than it tells.
        let indent = if indent * 2 > columns { 0 } else { indent };
        let cells: Vec<(Style, char)> =
            self.0.iter().flat_map(|(style, text)| text.chars().map(|character| (*style, character))).collect();
        let (mut lines, mut rest) = (Vec::new(), cells.as_slice());
        while !rest.is_empty() {
            let indent = if lines.is_empty() { 0 } else { indent };
            let (line, left) = rest.split_at(break_at(rest, columns - indent));
            lines.push(Self::plain(" ".repeat(indent)).and_cells(trimmed(line)));
            rest = &left[left.iter().take_while(|(_, character)| *character == ' ').count()..];
        }
        lines
    }

    /// Writes it as a line, or as several where a terminal is too narrow for it.
    pub(super) fn write(self, out: &mut impl Write, terminal: Option<usize>, indent: usize) -> io::Result<()> {
        let lines = match terminal {
            Some(columns) => self.wrapped(columns, indent),
            None => vec![self],
        };
        lines.iter().try_for_each(|line| writeln!(out, "{}", line.painted()))
    }

    fn and_cells(mut self, cells: &[(Style, char)]) -> Self {
        for piece in cells.chunk_by(|a, b| a.0 == b.0) {
            self.0.push((piece[0].0, piece.iter().map(|(_, character)| character).collect()));
        }
        self
    }

    /// With its colours, for a stream that takes them away where none are wanted.
    pub(super) fn painted(&self) -> String {
        self.0.iter().map(|(style, text)| style::paint(*style, text)).collect()
    }
}

/// How many cells make a line of so many columns: at least one, up to a space where one is in the second half.
fn break_at(cells: &[(Style, char)], columns: usize) -> usize {
    let mut width = 0;
    let fitting = cells.iter().take_while(|(_, character)| {
        width += character.width().unwrap_or(0);
        width <= columns
    });
    let fitting = fitting.count().max(1);
    if fitting == cells.len() {
        return fitting;
    }
    let space = (fitting / 2..=fitting).rev().find(|place| *place > 0 && cells[*place].1 == ' ');
    space.unwrap_or(fitting)
}

fn trimmed(cells: &[(Style, char)]) -> &[(Style, char)] {
    let spaces = cells.iter().rev().take_while(|(_, character)| *character == ' ').count();
    &cells[..cells.len() - spaces]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: Text, columns: usize) -> String {
        text.fit(columns).0.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn what_does_not_fit_ends_in_an_ellipsis() {
        let text = Text::plain("MA").and(style::FAINT, "@web").and(Style::new(), " REST /orders");
        for (columns, expected) in [
            (30, "MA@web REST /orders"),
            (19, "MA@web REST /orders"),
            (18, "MA@web REST /orde…"),
            (6, "MA@we…"),
            (3, "MA…"),
            (1, "…"),
            (0, ""),
        ] {
            assert_eq!(cut(text.clone(), columns), expected, "{columns}");
        }
        // A wide character that would stick out goes whole.
        assert_eq!(cut(Text::plain("日本語"), 4), "日…");
    }

    #[test]
    fn what_is_too_long_goes_on_below_set_in() {
        let text = Text::plain("16:00  -> /orders  ").and(style::FAINT, r#"{"items":[1,2,3],"more":true}"#);
        let lines = |columns| -> Vec<String> {
            let lines = text.clone().wrapped(columns, 4).into_iter();
            lines.map(|line| line.0.into_iter().map(|(_, text)| text).collect()).collect()
        };
        assert_eq!(lines(60), [r#"16:00  -> /orders  {"items":[1,2,3],"more":true}"#]);
        assert_eq!(lines(30), ["16:00  -> /orders", r#"    {"items":[1,2,3],"more":tr"#, "    ue}"]);
        assert_eq!(lines(8)[..3], ["16:00", "    ->", "    /ord"]);
        assert_eq!(lines(3)[..3], ["16:", "00", "->"]);
    }

    proptest! {
        #[test]
        fn lines_are_never_wider_and_nothing_but_spaces_is_lost(
            pieces in prop::collection::vec("[a-z日 ]{0,12}", 0..5),
            columns in 2_usize..40,
        ) {
            let bare = |text: &str| text.replace(' ', "");
            let text = pieces.iter().fold(Text::default(), |text, piece| text.and(Style::new(), piece.as_str()));
            let lines = text.wrapped(columns, 6);
            prop_assert!(lines.iter().all(|line| line.width() <= columns));
            let all: String = lines.into_iter().flat_map(|line| line.0).map(|(_, text)| text).collect();
            prop_assert_eq!(bare(&all), bare(&pieces.concat()));
        }

        #[test]
        fn it_is_never_wider_than_it_may_be(pieces in prop::collection::vec("\\PC{0,12}", 0..5), columns in 0_usize..40) {
            let text = pieces.into_iter().fold(Text::default(), |text, piece| text.and(Style::new(), piece));
            let whole = text.width() <= columns;
            let fitted = text.clone().fit(columns);
            prop_assert!(fitted.width() <= columns);
            prop_assert_eq!(whole, fitted.painted() == text.painted());
        }
    }
}
