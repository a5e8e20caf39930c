//! Entries one by one.

use std::io::{self, Write};

use tracehub_client::{ChainAnswer, TraceEntry};

use super::escape::harmless;
use super::look::Look;
use super::{format, json, style};

/// One entry on a line; with the id of its chain where others are around it.
pub(super) fn entry(out: &mut impl Write, entry: &TraceEntry, with_id: bool, look: &Look) -> io::Result<()> {
    write!(out, "{}  ", look.time_of_day(entry.timestamp()))?;
    if with_id {
        write!(out, "{}  ", style::paint(style::HEADING, &harmless(entry.correlation_id())))?;
    }
    what(out, entry)
}

/// A chain's entries in the order of time, each with how long after the first it was.
pub(super) fn chain(out: &mut impl Write, answer: &ChainAnswer, look: &Look) -> io::Result<()> {
    let start = answer.traces.first().map_or(0.0, TraceEntry::timestamp);
    let offset = |entry: &TraceEntry| format!("+{}", format::duration(entry.timestamp() - start));
    let width = answer.traces.iter().map(|entry| offset(entry).len()).max().unwrap_or(0);
    for entry in &answer.traces {
        let offset = style::paint(style::FAINT, &format!("{:>width$}", offset(entry)));
        write!(out, "{offset}  {}  ", look.time_of_day(entry.timestamp()))?;
        what(out, entry)?;
    }
    Ok(())
}

fn what(out: &mut impl Write, entry: &TraceEntry) -> io::Result<()> {
    let source = style::paint(style::of_source(entry.source_id()), &harmless(entry.source_id()));
    let direction = harmless(entry.direction().as_str());
    let host = style::paint(style::FAINT, &format!("@{}", harmless(entry.hostname())));
    write!(out, "{source}{host}  {direction} {} {}", harmless(entry.operation()), harmless(entry.endpoint()))?;
    if let Some(data) = entry.data() {
        write!(out, "  {}", style::paint(style::FAINT, &harmless(data)))?;
    }
    writeln!(out)
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
        let look = Look::fixed(0.0, None);
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
    fn a_line_as_it_was_logged_but_for_what_steers_terminals() {
        assert_eq!(plain(|out| raw(out, &made(Some("12:00\tMA \u{7f}-> x\r\n")))), "12:00\tMA \\u{7f}-> x\n");
        let json = plain(|out| raw(out, &made(None)));
        assert!(json.starts_with("{\"source_id\":\"MA\"") && json.lines().count() == 1, "{json}");
    }
}
