//! The list of chains.

use std::io::{self, Write};

use tracehub_client::{CorrelationSummary, CorrelationsAnswer};

use super::columns::{self, Column};
use super::escape::harmless;
use super::look::Look;
use super::text::Text;
use super::{format, style};

/// On the narrowest terminals the id and whether the chain is complete are left.
const COLUMNS: [Column; 6] = [
    Column::at_least(12),
    Column::RIGHT.going(1),
    Column::LEFT.going(3),
    Column::RIGHT.going(4),
    Column::at_least(8).going(2),
    Column::LEFT,
];

/// A part of the list, with or without what its columns are called.
pub(super) fn table(out: &mut impl Write, answer: &CorrelationsAnswer, heading: bool, look: &Look) -> io::Result<()> {
    let titles = ["CORRELATION ID", "ENTRIES", "FIRST", "DURATION", "SOURCES", "COMPLETE"];
    let titles = titles.map(|title| Text::styled(style::HEADING, title));
    let rows = |short| {
        let mut rows = if heading { vec![titles.clone()] } else { Vec::new() };
        rows.extend(answer.correlations.iter().map(|chain| row(chain, look, short)));
        rows
    };
    // Words are saved before whole columns are.
    let whole = rows(false);
    let rows = if columns::fit(COLUMNS, &whole, look.width) { whole } else { rows(true) };
    columns::write(out, COLUMNS, rows, look.width)
}

fn row(chain: &CorrelationSummary, look: &Look, short: bool) -> [Text; 6] {
    let silent = if short { "" } else { "silent for " };
    [
        Text::plain(harmless(&chain.correlation_id)),
        Text::plain(chain.trace_count.to_string()),
        Text::plain(if short { look.short_date_time(chain.first_ts) } else { look.date_time(chain.first_ts) }),
        Text::plain(format::duration(chain.last_ts - chain.first_ts)),
        sources(&chain.sources),
        match chain.complete {
            Some(true) => Text::styled(style::GOOD, "yes"),
            Some(false) => {
                // How long nothing has come is what tells a call that hangs from one that is on its way.
                let silent = look.age(chain.last_ts).map(|age| format!(", {silent}{age}"));
                Text::styled(style::BAD, "no").and(anstyle::Style::new(), silent.unwrap_or_default())
            }
            None => Text::styled(style::FAINT, "-"),
        },
    ]
}

fn sources(sources: &[String]) -> Text {
    sources.iter().enumerate().fold(Text::default(), |text, (place, source)| {
        let text = if place == 0 { text } else { text.and(style::FAINT, ",") };
        text.and(style::of_source(source), harmless(source))
    })
}

/// What is said where nothing matches.
pub(super) fn none(out: &mut impl Write, filtered: bool) -> io::Result<()> {
    writeln!(out, "{}", if filtered { "no chain matches" } else { "no chains yet" })
}

/// How to see what the list left out.
pub(super) fn more(out: &mut impl Write, cursor: i64) -> io::Result<()> {
    writeln!(out, "{}", style::paint(style::FAINT, &format!("more follow: --cursor {cursor}, or --all")))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let drawn = |look: Look| {
            let mut out = Vec::new();
            table(&mut out, &answer, true, &look).unwrap();
            anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
        };
        let look = Look::fixed(1_706_803_388_543.0, None);
        let terminal = |width| drawn(look.clone().on(Some(width)));
        assert_eq!(
            terminal(80),
            "CORRELATION ID  ENTRIES  FIRST           DURATION  SOURCES  COMPLETE\n\
             order-42             12  02-01 16:00:00    3.42 s  MA,WK    yes\n\
             \\u{1b}[2J            12  02-01 16:00:00    3.42 s  MA,WK    no, 3 m 05 s\n\
             日本                 12  02-01 16:00:00    3.42 s  MA,WK    -\n"
        );
        assert_eq!(
            terminal(52),
            "CORRELATION…  FIRST           DURATION  COMPLETE\n\
             order-42      02-01 16:00:00    3.42 s  yes\n\
             \\u{1b}[2J     02-01 16:00:00    3.42 s  no, 3 m 05 s\n\
             日本          02-01 16:00:00    3.42 s  -\n"
        );
        assert!(terminal(20).lines().all(|line| unicode_width::UnicodeWidthStr::width(line) <= 20));
        assert_eq!(
            drawn(look.clone()),
            "CORRELATION ID  ENTRIES  FIRST                    DURATION  SOURCES  COMPLETE\n\
             order-42             12  2024-02-01 16:00:00.123    3.42 s  MA,WK    yes\n\
             \\u{1b}[2J            12  2024-02-01 16:00:00.123    3.42 s  MA,WK    no, silent for 3 m 05 s\n\
             日本                 12  2024-02-01 16:00:00.123    3.42 s  MA,WK    -\n"
        );
        assert_eq!(
            drawn(look.relative().on(Some(60))),
            "CORRELATION …  FIRST         DURATION  SOURCES  COMPLETE\n\
             order-42       3 m 08 s ago    3.42 s  MA,WK    yes\n\
             \\u{1b}[2J      3 m 08 s ago    3.42 s  MA,WK    no, 3 m 05 s\n\
             日本           3 m 08 s ago    3.42 s  MA,WK    -\n"
        );
    }
}
