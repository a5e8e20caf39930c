//! What the commands that move and explain things show: counts, the server's figures, settings.

use std::io::{self, Write};

use anstyle::Style;
use serde_json::{Map, Value, json};
use tracehub_client::{CleanupAnswer, HealthAnswer, StatsAnswer, TraceEntry};

use super::columns::{self, Column};
use super::escape::harmless;
use super::look::Look;
use super::text::Text;
use super::{Screen, format, json, style};
use crate::load::Counts;
use crate::settings::Config;

/// What follows a line that does not fit is set in so far: below the figures of `stats`.
const INDENT: usize = 13;

/// A setting, and where its value came from.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) key: &'static str,
    /// As it may be shown.
    pub(crate) value: Option<String>,
    pub(crate) from: &'static str,
}

impl Screen {
    /// An entry as a line of JSON, whatever the format is: a file of them is what `import` reads.
    pub(crate) fn line(&mut self, entry: &TraceEntry) -> io::Result<()> {
        let mut line = json::one_line(json::entry(entry));
        if self.is_terminal {
            line = json::harmless(line);
        }
        line.push(b'\n');
        self.out.write_all(&line)
    }

    /// Text for another program, as it is.
    pub(crate) fn verbatim(&mut self, text: &[u8]) -> io::Result<()> {
        self.out.write_all(text)
    }

    /// What became of lines that were sent.
    pub(crate) fn loaded(&mut self, counts: &Counts) -> io::Result<()> {
        let Counts { accepted, inserted, duplicates, refused, .. } = counts;
        if !self.is_table() {
            return self.json(json::serialize(counts)?);
        }
        let known = plural(*duplicates, "duplicate");
        writeln!(self.out, "accepted {accepted}: {inserted} inserted, {duplicates} {known}; refused {refused}")
    }

    pub(crate) fn health(&mut self, url: &str, answer: &HealthAnswer) -> io::Result<()> {
        let look = self.look();
        if self.is_table() { health(&mut self.out, url, answer, &look) } else { self.json(json::serialize(answer)?) }
    }

    pub(crate) fn cleanup(&mut self, answer: CleanupAnswer) -> io::Result<()> {
        if self.is_table() {
            writeln!(self.out, "deleted {}", format::entries(answer.deleted))
        } else {
            self.json(json::serialize(&answer)?)
        }
    }

    pub(crate) fn stats(&mut self, url: &str, answer: &StatsAnswer) -> io::Result<()> {
        let look = self.look();
        if self.is_table() { stats(&mut self.out, url, answer, &look) } else { self.json(json::serialize(answer)?) }
    }

    pub(crate) fn config(&mut self, config: &Config) -> io::Result<()> {
        let look = self.look();
        if self.is_table() { table(&mut self.out, config, &look) } else { self.json(json::serialize(&object(config))?) }
    }
}

fn health(out: &mut impl Write, url: &str, answer: &HealthAnswer, look: &Look) -> io::Result<()> {
    let well = if answer.status == "healthy" { style::GOOD } else { style::BAD };
    let status = match &answer.reason {
        Some(reason) => format!("{}: {reason}", answer.status),
        None => answer.status.clone(),
    };
    let about = format!("  {url}  database {}, keeps {} hours", harmless(&answer.db), answer.retention_hours);
    Text::styled(well, harmless(&status)).and(Style::new(), about).write(out, look.width, INDENT)
}

fn stats(out: &mut impl Write, url: &str, answer: &StatsAnswer, look: &Look) -> io::Result<()> {
    let StatsAnswer { version, uptime_seconds, stored, queue, streams, since_start } = answer;
    let rows = [
        ("server", format!("{url}  {}, up {}", harmless(version), format::duration(uptime_seconds * 1000.0))),
        ("entries", format!("{}, the newest is {}", format::grouped(stored.entries), stored.newest_id)),
        ("chains", format!("{} at the most", format::grouped(stored.chains_at_most))),
        ("database", format!("{}, and {} of log", bytes(stored.database_bytes), bytes(stored.wal_bytes))),
        ("queue", format!("{}, {}", entries(queue.entries), bytes(queue.bytes))),
        ("streams", format!("{} open", format::grouped(*streams))),
        (
            "since start",
            format!(
                "{} inserted, {} {}, {} {} refused",
                format::grouped(since_start.inserted),
                format::grouped(since_start.duplicates),
                plural(since_start.duplicates, "duplicate"),
                format::grouped(since_start.refused_requests),
                plural(since_start.refused_requests, "request")
            ),
        ),
    ];
    for (name, value) in rows {
        let name = Text::styled(style::HEADING, format!("{name:11}")).and(Style::new(), "  ");
        name.and(Style::new(), value).write(out, look.width, INDENT)?;
    }
    Ok(())
}

fn table(out: &mut impl Write, config: &Config, look: &Look) -> io::Result<()> {
    let path =
        config.path.as_ref().map_or_else(|| "none: there is no home".to_owned(), |path| path.display().to_string());
    let found = if config.found { "" } else { "  (not there)" };
    Text::plain(format!("config file {}{found}", harmless(&path))).write(out, look.width, INDENT)?;
    writeln!(out)?;
    let mut rows = vec![["SETTING", "VALUE", "FROM"].map(|title| Text::styled(style::HEADING, title))];
    rows.extend(config.settings.iter().map(|setting| {
        let from = if setting.from == "default" { style::FAINT } else { style::GOOD };
        let value = harmless(setting.value.as_deref().unwrap_or("-"));
        [Text::plain(setting.key), Text::plain(value), Text::styled(from, setting.from)]
    }));
    columns::write(out, [Column::LEFT, Column::at_least(8), Column::LEFT], rows, look.width)
}

fn object(config: &Config) -> Value {
    let settings = config.settings.iter();
    let settings: Map<String, Value> = settings
        .map(|Setting { key, value, from }| ((*key).to_owned(), json!({ "value": value, "from": from })))
        .collect();
    json!({ "file": config.path, "found": config.found, "settings": settings })
}

fn plural(count: u64, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

fn entries(count: u64) -> String {
    format!("{} {}", format::grouped(count), if count == 1 { "entry" } else { "entries" })
}

/// `512 B`, `4.2 MB`
fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1000.0;
    let mut unit = 0;
    // What would be rounded to 1000 is the next unit's 1.
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_read_them() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (999_960, "1.0 MB"),
            (4_200_000, "4.2 MB"),
            (u64::MAX, "18446.7 PB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
