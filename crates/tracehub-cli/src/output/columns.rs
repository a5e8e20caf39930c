//! Rows in columns that line up and fit the terminal.

use std::io::{self, Write};

use super::text::Text;

/// Between two columns.
const GAP: usize = 2;

/// How a column is set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// Whether it ends where the others end, as numbers do.
    pub(super) right: bool,
    /// How far it may be narrowed when the rows are wider than the terminal; not at all without.
    pub(super) narrowest: Option<usize>,
}

impl Column {
    pub(super) const LEFT: Self = Self { right: false, narrowest: None };
    pub(super) const RIGHT: Self = Self { right: true, narrowest: None };

    /// Text that may be cut off.
    pub(super) const fn at_least(columns: usize) -> Self {
        Self { right: false, narrowest: Some(columns) }
    }
}

/// Writes rows, no wider than `terminal` columns if the columns can be narrowed that far.
pub(super) fn write<const COLUMNS: usize>(
    out: &mut impl Write,
    columns: [Column; COLUMNS],
    rows: Vec<[Text; COLUMNS]>,
    terminal: Option<usize>,
) -> io::Result<()> {
    let widths: [usize; COLUMNS] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].width()).max().unwrap_or(0));
    let widths = narrowed(columns, widths, terminal);
    for row in rows {
        // Spaces are written when something follows them.
        let (mut line, mut spaces) = (String::new(), 0);
        for (place, text) in row.into_iter().enumerate() {
            let text = text.fit(widths[place]);
            let padding = widths[place] - text.width();
            spaces += if place > 0 { GAP } else { 0 } + if columns[place].right { padding } else { 0 };
            if !text.is_empty() {
                line.push_str(&" ".repeat(std::mem::take(&mut spaces)));
                line.push_str(&text.painted());
            }
            spaces += if columns[place].right { 0 } else { padding };
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Takes what is too much from the widest of those that may be narrowed, again and again.
fn narrowed<const COLUMNS: usize>(
    columns: [Column; COLUMNS],
    mut widths: [usize; COLUMNS],
    terminal: Option<usize>,
) -> [usize; COLUMNS] {
    let Some(terminal) = terminal else { return widths };
    let mut too_much = (widths.iter().sum::<usize>() + GAP * (COLUMNS - 1)).saturating_sub(terminal);
    while too_much > 0 {
        let room = |column: &usize| widths[*column].saturating_sub(columns[*column].narrowest.unwrap_or(usize::MAX));
        let Some(widest) = (0..COLUMNS).filter(|column| room(column) > 0).max_by_key(|column| widths[*column]) else {
            break;
        };
        widths[widest] -= 1;
        too_much -= 1;
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(terminal: Option<usize>) -> String {
        let rows = [["ID", "N", "SOURCES"], ["a-rather-long-id", "12", "MA,WK,WEB"], ["b", "3", "MA"]];
        let rows = rows.into_iter().map(|row| row.map(Text::plain)).collect();
        let mut out = Vec::new();
        write(&mut out, [Column::at_least(6), Column::RIGHT, Column::at_least(4)], rows, terminal).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_widest_gives_way_until_the_rows_fit() {
        assert_eq!(
            written(None),
            "ID                 N  SOURCES\na-rather-long-id  12  MA,WK,WEB\nb                  3  MA\n"
        );
        assert_eq!(written(Some(24)), "ID          N  SOURCES\na-rather…  12  MA,WK,WEB\nb           3  MA\n");
        // Narrower than it can be: nothing is lost but the fit.
        assert_eq!(written(Some(5)), "ID       N  SOU…\na-rat…  12  MA,…\nb        3  MA\n");
    }
}
