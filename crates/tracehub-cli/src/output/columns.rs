//! Rows in columns that line up and fit the terminal.

use std::io::{self, Write};

use anstyle::Style;

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
    /// When it is left out where all that may be narrowed are as narrow as they can be: 1 goes first, 0 never.
    goes: u8,
}

impl Column {
    pub(super) const LEFT: Self = Self { right: false, narrowest: None, goes: 0 };
    pub(super) const RIGHT: Self = Self { right: true, narrowest: None, goes: 0 };

    /// Text that may be cut off.
    pub(super) const fn at_least(columns: usize) -> Self {
        Self { narrowest: Some(columns), ..Self::LEFT }
    }

    /// The same, left out as the first, second and so on.
    pub(super) const fn going(self, place: u8) -> Self {
        Self { goes: place, ..self }
    }
}

/// Whether rows have room on the terminal with every column, some of them narrowed.
pub(super) fn fit<const COLUMNS: usize>(
    columns: [Column; COLUMNS],
    rows: &[[Text; COLUMNS]],
    terminal: Option<usize>,
) -> bool {
    terminal.is_none_or(|terminal| width(narrowed(columns, widths(rows), Some(terminal))) <= terminal)
}

/// Writes rows, no wider than `terminal` columns: columns are narrowed, then left out, and lines are cut at last.
pub(super) fn write<const COLUMNS: usize>(
    out: &mut impl Write,
    columns: [Column; COLUMNS],
    rows: Vec<[Text; COLUMNS]>,
    terminal: Option<usize>,
) -> io::Result<()> {
    let widths = with_room(columns, widths(&rows), terminal);
    for row in rows {
        // Spaces are written when something follows them.
        let (mut line, mut spaces) = (Text::default(), 0);
        for (place, text) in row.into_iter().enumerate() {
            let Some(width) = widths[place] else { continue };
            let text = text.fit(width);
            let padding = width - text.width();
            spaces += if columns[place].right { padding } else { 0 };
            if !text.is_empty() {
                line = line.and(Style::new(), " ".repeat(std::mem::take(&mut spaces))).join(text);
            }
            spaces += GAP + if columns[place].right { 0 } else { padding };
        }
        writeln!(out, "{}", line.fit(terminal.unwrap_or(usize::MAX)).painted())?;
    }
    Ok(())
}

fn widths<const COLUMNS: usize>(rows: &[[Text; COLUMNS]]) -> [Option<usize>; COLUMNS] {
    std::array::from_fn(|column| Some(rows.iter().map(|row| row[column].width()).max().unwrap_or(0)))
}

/// Of a whole row, without columns that are left out.
fn width<const COLUMNS: usize>(widths: [Option<usize>; COLUMNS]) -> usize {
    widths.into_iter().flatten().map(|width| width + GAP).sum::<usize>().saturating_sub(GAP)
}

/// Leaves out one column after the other until the rest can be narrowed far enough.
fn with_room<const COLUMNS: usize>(
    columns: [Column; COLUMNS],
    mut widths: [Option<usize>; COLUMNS],
    terminal: Option<usize>,
) -> [Option<usize>; COLUMNS] {
    loop {
        let fitted = narrowed(columns, widths, terminal);
        let goes = |column: &usize| columns[*column].goes > 0 && widths[*column].is_some();
        let next = (0..COLUMNS).filter(goes).min_by_key(|column| columns[*column].goes);
        match next {
            Some(next) if terminal.is_some_and(|terminal| width(fitted) > terminal) => widths[next] = None,
            _ => return fitted,
        }
    }
}

/// Takes what is too much from the widest of those that may be narrowed, again and again.
fn narrowed<const COLUMNS: usize>(
    columns: [Column; COLUMNS],
    mut widths: [Option<usize>; COLUMNS],
    terminal: Option<usize>,
) -> [Option<usize>; COLUMNS] {
    let Some(terminal) = terminal else { return widths };
    let mut too_much = width(widths).saturating_sub(terminal);
    while too_much > 0 {
        let narrowest = columns.map(|column| column.narrowest.unwrap_or(usize::MAX));
        let wide = widths
            .iter_mut()
            .zip(narrowest)
            .filter_map(|(width, narrowest)| width.as_mut().filter(|width| **width > narrowest));
        let Some(widest) = wide.max_by_key(|width| **width) else { break };
        *widest -= 1;
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
        write(&mut out, [Column::at_least(6), Column::RIGHT.going(1), Column::at_least(4)], rows, terminal).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_widest_gives_way_until_the_rows_fit() {
        assert_eq!(
            written(None),
            "ID                 N  SOURCES\na-rather-long-id  12  MA,WK,WEB\nb                  3  MA\n"
        );
        assert_eq!(written(Some(24)), "ID          N  SOURCES\na-rather…  12  MA,WK,WEB\nb           3  MA\n");
        assert_eq!(written(Some(16)), "ID       N  SOU…\na-rat…  12  MA,…\nb        3  MA\n");
        // Narrower than columns can be, one goes; then lines are cut.
        assert_eq!(written(Some(15)), "ID       SOURC…\na-rath…  MA,WK…\nb        MA\n");
        assert_eq!(written(Some(5)), "ID  …\na-ra…\nb   …\n");
    }
}
