//! Text in several styles that knows how wide it is, and can be cut to fit.

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

    /// With its colours, for a stream that takes them away where none are wanted.
    pub(super) fn painted(&self) -> String {
        self.0.iter().map(|(style, text)| style::paint(*style, text)).collect()
    }
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

    proptest! {
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
