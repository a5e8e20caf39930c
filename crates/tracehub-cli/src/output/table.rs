//! Aligned text: the list of chains, one entry of a stream, the server's health.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use tracehub_client::{CorrelationsAnswer, HealthAnswer, TraceEntry};
use unicode_width::UnicodeWidthStr as _;

use super::escape::harmless;
use super::{format, style};

/// A cell: its text, already harmless, and how it is painted.
struct Cell {
    text: String,
    style: anstyle::Style,
}

impl Cell {
    fn new(text: impl Into<String>) -> Self {
        Self::styled(text, anstyle::Style::new())
    }

    fn styled(text: impl Into<String>, style: anstyle::Style) -> Self {
        Self { text: text.into(), style }
    }
}

pub(crate) fn correlations(out: &mut impl Write, answer: &CorrelationsAnswer, zone: &TimeZone) -> io::Result<()> {
    if answer.correlations.is_empty() {
        return writeln!(out, "no chains yet");
    }
    let heading = |text: &str| Cell::styled(text, style::HEADING);
    let mut rows = vec![["CORRELATION ID", "ENTRIES", "FIRST", "DURATION", "SOURCES", "COMPLETE"].map(heading)];
    rows.extend(answer.correlations.iter().map(|chain| {
        [
            Cell::new(harmless(&chain.correlation_id)),
            Cell::new(chain.trace_count.to_string()),
            Cell::new(format::date_time(chain.first_ts, zone)),
            Cell::new(format::duration(chain.last_ts - chain.first_ts)),
            Cell::new(harmless(&chain.sources.join(","))),
            match chain.complete {
                Some(true) => Cell::styled("yes", style::GOOD),
                Some(false) => Cell::styled("no", style::BAD),
                None => Cell::styled("-", style::FAINT),
            },
        ]
    }));
    // Numbers end where numbers end.
    aligned(out, &rows, [false, true, false, true, false, false])
}

fn aligned<const COLUMNS: usize>(
    out: &mut impl Write,
    rows: &[[Cell; COLUMNS]],
    right: [bool; COLUMNS],
) -> io::Result<()> {
    let widths: [usize; COLUMNS] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].text.width()).max().unwrap_or(0));
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let padding = " ".repeat(widths[column] - cell.text.width());
            let painted = style::paint(cell.style, &cell.text);
            let gap = if column == 0 { "" } else { "  " };
            match (right[column], column + 1 == COLUMNS) {
                (true, _) => write!(out, "{gap}{padding}{painted}")?,
                // Nothing follows, so nothing has to be lined up.
                (false, true) => write!(out, "{gap}{painted}")?,
                (false, false) => write!(out, "{gap}{painted}{padding}")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

pub(crate) fn entry(out: &mut impl Write, entry: &TraceEntry, zone: &TimeZone) -> io::Result<()> {
    let time = format::time_of_day(entry.timestamp(), zone);
    let source = style::paint(style::of_source(entry.source_id()), &harmless(entry.source_id()));
    let direction = harmless(entry.direction().as_str());
    let host = style::paint(style::FAINT, &format!("@{}", harmless(entry.hostname())));
    write!(out, "{time}  {source}{host}  {direction} {} {}", harmless(entry.operation()), harmless(entry.endpoint()))?;
    if let Some(data) = entry.data() {
        write!(out, "  {}", style::paint(style::FAINT, &harmless(data)))?;
    }
    writeln!(out)
}

pub(crate) fn health(out: &mut impl Write, url: &str, answer: &HealthAnswer) -> io::Result<()> {
    let well = if answer.status == "healthy" { style::GOOD } else { style::BAD };
    writeln!(
        out,
        "{}  {url}  database {}, keeps {} hours",
        style::paint(well, &harmless(&answer.status)),
        harmless(&answer.db),
        answer.retention_hours
    )
}

#[cfg(test)]
mod tests {
    use tracehub_client::CorrelationSummary;

    use super::*;

    fn plain(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
    }

    fn summary(id: &str, complete: Option<bool>) -> CorrelationSummary {
        CorrelationSummary {
            correlation_id: id.to_owned(),
            trace_count: 12,
            first_ts: 1_706_803_200_123.0,
            last_ts: 1_706_803_203_543.0,
            duration_ms: 3420,
            sources: vec!["MA".to_owned(), "WK".to_owned()],
            complete,
        }
    }

    #[test]
    fn chains_in_columns_whatever_their_ids() {
        let answer = CorrelationsAnswer {
            correlations: vec![
                summary("order-42", Some(true)),
                summary("\u{1b}[2J", Some(false)),
                summary("日本", None),
            ],
            next_cursor: None,
            count: 3,
        };
        assert_eq!(
            plain(|out| correlations(out, &answer, &TimeZone::UTC)),
            "CORRELATION ID  ENTRIES  FIRST                    DURATION  SOURCES  COMPLETE\n\
             order-42             12  2024-02-01 16:00:00.123    3.42 s  MA,WK    yes\n\
             \\u{1b}[2J            12  2024-02-01 16:00:00.123    3.42 s  MA,WK    no\n\
             日本                 12  2024-02-01 16:00:00.123    3.42 s  MA,WK    -\n"
        );
    }

    #[test]
    fn an_entry_on_one_line() {
        let made = TraceEntry::builder("MA", "c")
            .timestamp(1_706_803_200_123.0)
            .operation("REST")
            .endpoint("/a\nb")
            .data_json(r#"{"n":1}"#)
            .build()
            .unwrap();
        assert_eq!(
            plain(|out| entry(out, &made, &TimeZone::UTC)),
            "16:00:00.123  MA@unknown  -> REST /a\\u{a}b  {\"n\":1}\n"
        );
    }
}
