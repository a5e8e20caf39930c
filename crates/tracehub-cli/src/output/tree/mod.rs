//! A chain as a tree of calls: when each began, how long it took, and where in the chain's time that lies.

mod fit;
mod time_spent;
mod walk;

use std::io::{self, Write};

use anstyle::Style;
use tracehub_client::ChainAnswer;
use tracehub_core::EntryRef;
use tracehub_core::chain::{CallStatus, Chain, ClockOffset, correct_clocks};

use self::fit::Line;
use self::walk::{Node, What};
use super::bar::Stretch;
use super::escape::harmless;
use super::look::Look;
use super::text::Text;
use super::{format, style};

/// What follows a line above the tree that does not fit is set in so far.
const INDENT: usize = 4;

pub(super) fn chain(out: &mut impl Write, answer: &ChainAnswer, look: &Look) -> io::Result<()> {
    let mut entries: Vec<_> = answer.traces.iter().map(|entry| entry.as_ref()).enumerate().collect();
    let offsets = correct_clocks(&mut entries);
    let chain = Chain::new(entries.into_iter().map(|(_, entry)| entry));
    heading(out, answer, &chain, look)?;
    clocks(out, &offsets, look)?;
    let self_times = chain.self_times();
    let mut lines = Vec::new();
    walk::each(&chain, |node, prefix| lines.push(line(&chain, &self_times, node, prefix, look)));
    fit::write(out, lines, chain.span().unwrap_or_default(), look.width)?;
    time_spent::summary(out, &chain, look.width)
}

fn heading(out: &mut impl Write, answer: &ChainAnswer, chain: &Chain<'_>, look: &Look) -> io::Result<()> {
    let (paint, complete) = if answer.complete { (style::GOOD, "complete") } else { (style::BAD, "incomplete") };
    let mut counts = vec![format::entries(answer.traces.len() as u64)];
    for (status, word) in [(CallStatus::Unfinished, "unfinished"), (CallStatus::Orphan, "without enter")] {
        match chain.count(status) {
            0 => {}
            1 => counts.push(format!("1 call {word}")),
            count => counts.push(format!("{count} calls {word}")),
        }
    }
    let id = Text::styled(style::HEADING, harmless(&answer.correlation_id)).and(Style::new(), "  ");
    let counts = format!("  {}", counts.join(", "));
    id.and(paint, complete).and(Style::new(), counts).write(out, look.width, INDENT)?;
    if let Some((first, last)) = chain.span() {
        let when = format!("{}  {}", look.date_time(first), format::duration(last - first));
        Text::plain(when).write(out, look.width, INDENT)?;
    }
    writeln!(out)
}

/// Says which hosts' entries were moved, because nobody finds them at these times in a log.
fn clocks(out: &mut impl Write, offsets: &[ClockOffset<'_>], look: &Look) -> io::Result<()> {
    for offset in offsets {
        let (by, which) = if offset.offset_ms < 0.0 { ("earlier", "ahead") } else { ("later", "behind") };
        let (hostname, amount) = (harmless(offset.hostname), format::duration(offset.offset_ms.abs()));
        let note = format!("the clock of {hostname} is {which}: its entries are drawn {amount} {by}");
        Text::styled(style::FAINT, note).write(out, look.width, INDENT)?;
    }
    if offsets.is_empty() { Ok(()) } else { writeln!(out) }
}

fn line(chain: &Chain<'_>, self_times: &[Option<f64>], node: &Node, prefix: &str, look: &Look) -> Line {
    let start = chain.span().map_or(0.0, |(first, _)| first);
    let (entry, what) = match node.what {
        What::Call(call) => {
            let entry = chain.described_by(call);
            (entry, format!(" {} {}", harmless(entry.operation), harmless(entry.endpoint)))
        }
        What::Mark(mark) => {
            let entry = &chain.entries[mark];
            let texts = [entry.direction, entry.operation, entry.endpoint].map(harmless);
            (entry, format!(" · {}", texts.join(" ")))
        }
    };
    let line = Line {
        offset: format!("+{}", format::duration(entry.timestamp - start)),
        label: Text::plain(prefix)
            .and(style::of_source(entry.source_id), harmless(entry.source_id))
            .and(style::FAINT, format!("@{}", harmless(entry.hostname)))
            .and(Style::new(), what),
        stretch: Stretch::Mark { at: entry.timestamp },
        style: style::of_source(entry.source_id),
        result: Text::default(),
        short_result: Text::default(),
        self_time: String::new(),
    };
    let What::Call(call) = node.what else { return line };
    let (stretch, result, short_result) = outcome(chain, call, entry, look);
    // Where nothing ran inside, all of it was its own time.
    let self_time = self_times[call].filter(|_| !chain.calls[call].children.is_empty());
    Line { stretch, result, short_result, self_time: self_time.map(format::duration).unwrap_or_default(), ..line }
}

/// How a call ended, in so many words and in fewer.
fn outcome(chain: &Chain<'_>, call: usize, entry: &EntryRef<'_>, look: &Look) -> (Stretch, Text, Text) {
    let start = entry.timestamp;
    let (stretch, result) = match (chain.calls[call].status(), chain.duration(call)) {
        (CallStatus::Finished, Some(duration)) => {
            (Stretch::Call { start, end: start + duration }, Text::plain(format::duration(duration)))
        }
        (CallStatus::Orphan, _) => (Stretch::Orphan { end: start }, Text::styled(style::BAD, "no enter")),
        _ => {
            let age = look.age(start).map(|age| format!(" for {age}")).unwrap_or_default();
            let short = Text::styled(style::BAD, "unfinished");
            return (Stretch::Unfinished { start }, Text::styled(style::BAD, format!("unfinished{age}")), short);
        }
    };
    (stretch, result.clone(), result)
}

#[cfg(test)]
mod tests {
    use tracehub_client::TraceEntry;
    use unicode_width::UnicodeWidthStr as _;

    use super::*;

    fn entry(source: &str, direction: &str, operation: &str, timestamp: f64) -> TraceEntry {
        TraceEntry::builder(source, "order-42")
            .direction(direction.into())
            .operation("REST")
            .endpoint(operation)
            .timestamp(1_706_803_200_000.0 + timestamp)
            .hostname("web")
            .build()
            .unwrap()
    }

    /// Three minutes later, on a terminal of so many columns.
    fn drawn(traces: Vec<TraceEntry>, complete: bool, width: Option<usize>) -> String {
        let count = traces.len() as u64;
        let answer = ChainAnswer { correlation_id: "order-42".to_owned(), traces, count, complete };
        let mut out = Vec::new();
        chain(&mut out, &answer, &Look::fixed(1_706_803_380_000.0, width)).unwrap();
        anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
    }

    #[test]
    fn a_chain_with_everything_in_it() {
        let traces = vec![
            entry("MA", "->", "/orders", 0.0),
            entry("WK", "->", "/reserve", 2.0),
            entry("WK", "cache-miss", "/reserve", 3.0),
            entry("WK", "<-", "/reserve", 12.5),
            entry("WK", "->", "/invoice", 13.0),
            entry("WK", "<-", "/gone", 20.0),
            entry("MA", "<-", "/orders", 1513.0),
        ];
        assert_eq!(
            drawn(traces.clone(), false, None),
            "order-42  incomplete  7 entries, 1 call unfinished, 1 call without enter\n\
             2024-02-01 16:00:00.000  1.51 s\n\
             \n\
             \u{20}  +0 ms  MA@web REST /orders                      ━━━━━━━━━━━━━━━━━━━━━━━━    1.51 s  self 2.50 ms\n\
             +2.00 ms  ├─ WK@web REST /reserve                  ━                            10 ms\n\
             +3.00 ms  │  └─ WK@web · cache-miss REST /reserve  ·\n\
             \u{20} +13 ms  └─ WK@web REST /invoice                  ╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍╍  unfinished for 3 m 00 s\n\
             \u{20} +20 ms     └─ WK@web REST /gone                  ╸                         no enter\n\
             \n\
             longest gap  1.49 s, after WK <- REST /gone (+20 ms), before MA <- REST /orders (+1.51 s)\n\
             self time    WK 10 ms, MA 2.50 ms; of unfinished calls unknown\n"
        );
    }

    #[test]
    fn a_host_whose_clock_is_off_is_drawn_where_it_belongs_and_named() {
        let mut traces = vec![entry("MA", "->", "/orders", 0.0), entry("MA", "<-", "/orders", 100.0)];
        for (direction, at) in [("->", 5_000.0), ("<-", 5_060.0)] {
            let callee = TraceEntry::builder("WK", "order-42").hostname("db").direction(direction.into()).suffix("s");
            let callee = callee.operation("REST").endpoint("/orders").timestamp(1_706_803_200_000.0 + at);
            traces.push(callee.build().unwrap());
        }
        assert_eq!(
            drawn(traces, true, None),
            "order-42  complete  4 entries\n\
             2024-02-01 16:00:00.000  100 ms\n\
             \n\
             the clock of db is ahead: its entries are drawn 4.98 s earlier\n\
             \n\
             \u{20}+0 ms  MA@web REST /orders    ━━━━━━━━━━━━━━━━━━━━━━━━  100 ms  self 40 ms\n\
             +20 ms  └─ WK@db REST /orders      ━━━━━━━━━━━━━━━━       60 ms\n\
             \n\
             longest gap  60 ms, after WK -> REST /orders (+20 ms), before WK <- REST /orders (+80 ms)\n\
             self time    WK 60 ms, MA 40 ms\n"
        );
    }

    #[test]
    fn no_line_of_a_tree_is_wider_than_the_terminal() {
        let traces: Vec<_> = [("->", 0.0), ("->", 2.0), ("mark", 3.0), ("<-", 4.0)]
            .map(|(direction, at)| entry("a-service-with-a-long-name", direction, "/a/path/of/some/length", at))
            .into();
        for width in 15..140 {
            let text = drawn(traces.clone(), false, Some(width));
            assert!(text.lines().all(|line| line.width() <= width), "{width}\n{text}");
            assert_eq!(text.matches("unfinished").count() > 1, width >= 24, "{width}\n{text}");
            assert_eq!(text.contains('━') || text.contains('╍'), width >= 69, "{width}\n{text}");
        }
    }

    #[test]
    fn depth_does_not_widen_lines_without_end() {
        let mut traces: Vec<_> = (0..500).map(|n| entry("A", "->", &n.to_string(), f64::from(n))).collect();
        traces.extend((0..500).map(|n| entry("A", "<-", &(499 - n).to_string(), f64::from(500 + n))));
        let text = drawn(traces, true, None);
        assert!(text.contains("(499 deep)"));
        assert!(text.lines().all(|line| line.width() < 250));
    }
}
