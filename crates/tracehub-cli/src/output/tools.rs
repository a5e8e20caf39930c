//! What the commands that move and explain things show: counts, the server's figures, settings.

use std::io::{self, Write};

use serde_json::{Map, Value, json};
use tracehub_client::{CleanupAnswer, HealthAnswer, StatsAnswer, TraceEntry};

use super::escape::harmless;
use super::{Screen, format, json, style};
use crate::load::Counts;
use crate::settings::Config;

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
        self.json(json::entry(entry))
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
        if self.is_table() { health(&mut self.out, url, answer) } else { self.json(json::serialize(answer)?) }
    }

    pub(crate) fn cleanup(&mut self, answer: CleanupAnswer) -> io::Result<()> {
        if self.is_table() {
            writeln!(self.out, "deleted {}", format::entries(answer.deleted))
        } else {
            self.json(json::serialize(&answer)?)
        }
    }

    pub(crate) fn stats(&mut self, url: &str, answer: &StatsAnswer) -> io::Result<()> {
        if self.is_table() { stats(&mut self.out, url, answer) } else { self.json(json::serialize(answer)?) }
    }

    pub(crate) fn config(&mut self, config: &Config) -> io::Result<()> {
        if self.is_table() { table(&mut self.out, config) } else { self.json(json::serialize(&object(config))?) }
    }
}

fn health(out: &mut impl Write, url: &str, answer: &HealthAnswer) -> io::Result<()> {
    let well = if answer.status == "healthy" { style::GOOD } else { style::BAD };
    let status = match &answer.reason {
        Some(reason) => format!("{}: {reason}", answer.status),
        None => answer.status.clone(),
    };
    writeln!(
        out,
        "{}  {url}  database {}, keeps {} hours",
        style::paint(well, &harmless(&status)),
        harmless(&answer.db),
        answer.retention_hours
    )
}

fn stats(out: &mut impl Write, url: &str, answer: &StatsAnswer) -> io::Result<()> {
    let StatsAnswer { version, uptime_seconds, stored, queue, streams, since_start } = answer;
    let rows = [
        ("server", format!("{url}  {}, up {}", harmless(version), format::duration(uptime_seconds * 1000.0))),
        ("entries", format!("{}, the newest is {}", grouped(stored.entries), stored.newest_id)),
        ("chains", format!("{} at the most", grouped(stored.chains_at_most))),
        ("database", format!("{}, and {} of log", bytes(stored.database_bytes), bytes(stored.wal_bytes))),
        ("queue", format!("{}, {}", entries(queue.entries), bytes(queue.bytes))),
        ("streams", format!("{} open", grouped(*streams))),
        (
            "since start",
            format!(
                "{} inserted, {} {}, {} {} refused",
                grouped(since_start.inserted),
                grouped(since_start.duplicates),
                plural(since_start.duplicates, "duplicate"),
                grouped(since_start.refused_requests),
                plural(since_start.refused_requests, "request")
            ),
        ),
    ];
    for (name, value) in rows {
        writeln!(out, "{}  {value}", style::paint(style::HEADING, &format!("{name:11}")))?;
    }
    Ok(())
}

fn table(out: &mut impl Write, config: &Config) -> io::Result<()> {
    let path =
        config.path.as_ref().map_or_else(|| "none: there is no home".to_owned(), |path| path.display().to_string());
    let found = if config.found { "" } else { "  (not there)" };
    writeln!(out, "config file {}{found}\n", harmless(&path))?;
    let shown = |setting: &Setting| harmless(setting.value.as_deref().unwrap_or("-")).into_owned();
    let width = config.settings.iter().map(|setting| shown(setting).chars().count()).max().unwrap_or(0);
    writeln!(out, "{}", style::paint(style::HEADING, &format!("{:7}  {:width$}  FROM", "SETTING", "VALUE")))?;
    for setting in &config.settings {
        let from = if setting.from == "default" { style::FAINT } else { style::GOOD };
        writeln!(out, "{:7}  {:width$}  {}", setting.key, shown(setting), style::paint(from, setting.from))?;
    }
    Ok(())
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
    format!("{} {}", grouped(count), if count == 1 { "entry" } else { "entries" })
}

/// `1,204,331`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + 6);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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
    fn numbers_as_people_read_them() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_204_331, "1,204,331")] {
            assert_eq!(grouped(number), text);
        }
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
