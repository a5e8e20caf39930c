//! Entries one by one.

use std::io::{self, Write};

use anstyle::Style;
use tracehub_client::{ChainAnswer, TraceEntry};

use super::escape::harmless;
use super::look::Look;
use super::text::Text;
use super::{format, json, style};

/// Between two parts of a line.
const GAP: usize = 2;
/// What follows a line that does not fit is set in so far.
const INDENT: usize = 4;
/// Ids and places that are longer do not widen the lines of others.
const WIDEST_ID: usize = 40;
const WIDEST_PLACE: usize = 30;

/// One entry on a line; with the id of its chain where others are around it.
pub(super) fn entry(out: &mut impl Write, entry: &TraceEntry, with_id: bool, look: &Look) -> io::Result<()> {
    line(out, Text::default(), entry, &Lining::none(with_id, look.is_today(entry.timestamp())), look)
}

/// Entries of several chains, lined up.
pub(super) fn entries<'a>(
    out: &mut impl Write,
    entries: impl Iterator<Item = &'a TraceEntry> + Clone,
    look: &Look,
) -> io::Result<()> {
    let lining = Lining::of(&entries, true, look);
    entries.into_iter().try_for_each(|entry| line(out, Text::default(), entry, &lining, look))
}

/// A chain's entries in the order of time, each with how long after the first it was.
pub(super) fn chain(out: &mut impl Write, answer: &ChainAnswer, look: &Look) -> io::Result<()> {
    let start = answer.traces.first().map_or(0.0, TraceEntry::timestamp);
    let offset = |entry: &TraceEntry| format!("+{}", format::duration(entry.timestamp() - start));
    let width = answer.traces.iter().map(|entry| offset(entry).len()).max().unwrap_or(0);
    let lining = Lining::of(&answer.traces.iter(), false, look);
    for entry in &answer.traces {
        let offset = Text::styled(style::FAINT, format!("{:>width$}", offset(entry))).and(Style::new(), "  ");
        line(out, offset, entry, &lining, look)?;
    }
    Ok(())
}

/// What the lines of entries that stand together have in common.
struct Lining {
    all_today: bool,
    /// How wide ids are, where they are shown.
    id: Option<usize>,
    /// How wide sources with their hosts are.
    place: usize,
}

impl Lining {
    fn none(with_id: bool, all_today: bool) -> Self {
        Self { all_today, id: with_id.then_some(0), place: 0 }
    }

    fn of<'a>(entries: &(impl Iterator<Item = &'a TraceEntry> + Clone), with_id: bool, look: &Look) -> Self {
        let widest = |width: &dyn Fn(&TraceEntry) -> usize| entries.clone().map(width).max().unwrap_or(0);
        let id = with_id.then(|| widest(&|entry| id(entry).width()).min(WIDEST_ID));
        let place = widest(&|entry| place(entry).width()).min(WIDEST_PLACE);
        Self { all_today: entries.clone().all(|entry| look.is_today(entry.timestamp())), id, place }
    }
}

fn id(entry: &TraceEntry) -> Text {
    Text::styled(style::HEADING, harmless(entry.correlation_id()))
}

fn place(entry: &TraceEntry) -> Text {
    Text::styled(style::of_source(entry.source_id()), harmless(entry.source_id()))
        .and(style::FAINT, format!("@{}", harmless(entry.hostname())))
}

/// Text, and what separates it from the next.
fn padded(text: Text, width: usize) -> Text {
    let spaces = width.saturating_sub(text.width()) + GAP;
    text.and(Style::new(), " ".repeat(spaces))
}

/// An entry after whatever comes first. Nothing of what was logged is cut off: on a terminal it goes on below.
fn line(out: &mut impl Write, first: Text, entry: &TraceEntry, lining: &Lining, look: &Look) -> io::Result<()> {
    let mut text = first.join(padded(Text::plain(look.time(entry.timestamp(), lining.all_today)), 0));
    if let Some(width) = lining.id {
        text = text.join(padded(id(entry), width));
    }
    let what = [entry.direction().as_str(), entry.operation(), entry.endpoint()].map(harmless).join(" ");
    text = text.join(padded(place(entry), lining.place)).and(Style::new(), what);
    if let Some(data) = entry.data() {
        text = text.and(Style::new(), "  ").and(style::FAINT, harmless(data));
    }
    text.write(out, look.width, INDENT)
}

/// The line that the service logged; what it would be as JSON where none came along.
pub(super) fn raw(out: &mut impl Write, entry: &TraceEntry) -> io::Result<()> {
    let Some(line) = entry.raw_line() else {
        out.write_all(&json::harmless(json::one_line(json::entry(entry))))?;
        return writeln!(out);
    };
    // Tabs steer nothing, and lines of logs are full of them.
    let parts: Vec<_> = line.trim_end_matches(['\r', '\n']).split('\t').map(harmless).collect();
    writeln!(out, "{}", parts.join("\t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
    }

    fn made(raw_line: Option<&str>) -> TraceEntry {
        let entry = TraceEntry::builder("MA", "c")
            .timestamp(1_706_803_200_123.0)
            .suffix("s")
            .operation("REST")
            .endpoint("/a\nb")
            .data_json(r#"{"n":1}"#);
        match raw_line {
            Some(line) => entry.raw_line(line),
            None => entry,
        }
        .build()
        .unwrap()
    }

    #[test]
    fn an_entry_on_one_line() {
        let look = Look::fixed(1_706_803_300_000.0, None);
        assert_eq!(
            plain(|out| entry(out, &made(None), false, &look)),
            "16:00:00.123  MA@unknown  -> REST /a\\u{a}b  {\"n\":1}\n"
        );
        assert_eq!(
            plain(|out| entry(out, &made(None), true, &look)),
            "16:00:00.123  c  MA@unknown  -> REST /a\\u{a}b  {\"n\":1}\n"
        );
    }

    #[test]
    fn entries_line_up_and_what_does_not_fit_goes_on_below() {
        let other =
            TraceEntry::builder("WORKER", "another-id").timestamp(1_706_803_200_456.0).hostname("db").suffix("s");
        let other = other.operation("SQL").endpoint("select").build().unwrap();
        let both = [made(None), other];
        let look = Look::fixed(1_706_803_300_000.0, None);
        assert_eq!(
            plain(|out| entries(out, both.iter(), &look)),
            "16:00:00.123  c           MA@unknown  -> REST /a\\u{a}b  {\"n\":1}\n\
             16:00:00.456  another-id  WORKER@db   -> SQL select\n"
        );
        let narrow = look.on(Some(48));
        assert_eq!(
            plain(|out| entries(out, both.iter(), &narrow)),
            "16:00:00.123  c           MA@unknown  -> REST\n    /a\\u{a}b  {\"n\":1}\n\
             16:00:00.456  another-id  WORKER@db   -> SQL\n    select\n"
        );
        // Seen on another day, they say theirs.
        let later = Look::fixed(1_716_803_300_000.0, None);
        assert!(plain(|out| entry(out, &both[0], true, &later)).starts_with("2024-02-01 16:00:00.123  c  MA@"));
    }

    #[test]
    fn a_line_as_it_was_logged_but_for_what_steers_terminals() {
        assert_eq!(plain(|out| raw(out, &made(Some("12:00\tMA \u{7f}-> x\r\n")))), "12:00\tMA \\u{7f}-> x\n");
        let json = plain(|out| raw(out, &made(None)));
        assert!(json.starts_with("{\"source_id\":\"MA\"") && json.lines().count() == 1, "{json}");
    }
}
