//! A chain as a tree of calls, with when each began and how long it took.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use tracehub_client::ChainAnswer;
use tracehub_core::EntryRef;
use tracehub_core::chain::{CallStatus, Chain, ClockOffset, correct_clocks};
use unicode_width::UnicodeWidthStr as _;

use super::escape::harmless;
use super::{format, style, time_spent};

/// Calls further in are drawn at this depth: lines must not grow with what strangers send.
const MAX_DRAWN_DEPTH: usize = 40;

/// A call or a mark, and where it stands.
struct Node {
    what: What,
    depth: usize,
    /// Whether it is the last of its siblings.
    last: bool,
}

#[derive(Clone, Copy)]
enum What {
    Call(usize),
    Mark(usize),
}

/// A line of the tree before it is lined up: the label's text decides the width, the painted one is shown.
struct Line {
    offset: String,
    width: usize,
    label: String,
    result: String,
    result_style: anstyle::Style,
    /// What a call spent itself, where calls inside it took some of its time.
    self_time: String,
}

pub(crate) fn chain(out: &mut impl Write, answer: &ChainAnswer, zone: &TimeZone) -> io::Result<()> {
    let mut entries: Vec<_> = answer.traces.iter().map(|entry| entry.as_ref()).enumerate().collect();
    let offsets = correct_clocks(&mut entries);
    let chain = Chain::new(entries.into_iter().map(|(_, entry)| entry));
    heading(out, answer, &chain, zone)?;
    clocks(out, &offsets)?;
    let lines = lines(&chain);
    let offsets = lines.iter().map(|line| line.offset.len()).max().unwrap_or(0);
    let labels = lines.iter().map(|line| line.width).max().unwrap_or(0);
    let results = lines.iter().map(|line| line.result.len()).max().unwrap_or(0);
    for line in &lines {
        let offset = style::paint(style::FAINT, &format!("{:>offsets$}", line.offset));
        write!(out, "{offset}  {}", line.label)?;
        if !line.result.is_empty() {
            let padding = " ".repeat(labels - line.width);
            let result = style::paint(line.result_style, &format!("{:>results$}", line.result));
            write!(out, "{padding}  {result}")?;
        }
        if !line.self_time.is_empty() {
            write!(out, "  {}", style::paint(style::FAINT, &format!("self {}", line.self_time)))?;
        }
        writeln!(out)?;
    }
    time_spent::summary(out, &chain)
}

fn heading(out: &mut impl Write, answer: &ChainAnswer, chain: &Chain<'_>, zone: &TimeZone) -> io::Result<()> {
    let id = style::paint(style::HEADING, &harmless(&answer.correlation_id));
    let complete =
        if answer.complete { style::paint(style::GOOD, "complete") } else { style::paint(style::BAD, "incomplete") };
    let mut counts = vec![format::entries(answer.traces.len() as u64)];
    for (status, word) in [(CallStatus::Unfinished, "unfinished"), (CallStatus::Orphan, "without enter")] {
        match chain.count(status) {
            0 => {}
            1 => counts.push(format!("1 call {word}")),
            count => counts.push(format!("{count} calls {word}")),
        }
    }
    writeln!(out, "{id}  {complete}  {}", counts.join(", "))?;
    if let Some((first, last)) = chain.span() {
        writeln!(out, "{}  {}", format::date_time(first, zone), format::duration(last - first))?;
    }
    writeln!(out)
}

/// Says which hosts' entries were moved, because nobody finds them at these times in a log.
fn clocks(out: &mut impl Write, offsets: &[ClockOffset<'_>]) -> io::Result<()> {
    for offset in offsets {
        let (by, which) = if offset.offset_ms < 0.0 { ("earlier", "ahead") } else { ("later", "behind") };
        let (hostname, amount) = (harmless(offset.hostname), format::duration(offset.offset_ms.abs()));
        let note = format!("the clock of {hostname} is {which}: its entries are drawn {amount} {by}");
        writeln!(out, "{}", style::paint(style::FAINT, &note))?;
    }
    if offsets.is_empty() { Ok(()) } else { writeln!(out) }
}

fn lines(chain: &Chain<'_>) -> Vec<Line> {
    let start = chain.span().map_or(0.0, |(first, _)| first);
    let self_times = chain.self_times();
    let mut lines = Vec::new();
    // For each depth, whether more siblings follow below: then a line goes on down there.
    let mut open: Vec<bool> = Vec::new();
    let mut waiting: Vec<Node> = Vec::new();
    stack(&mut waiting, siblings(chain, &chain.roots, &chain.loose_marks), 0);
    while let Some(node) = waiting.pop() {
        open.truncate(node.depth.min(MAX_DRAWN_DEPTH));
        let prefix = prefix(&open, &node);
        open.push(!node.last);
        match node.what {
            What::Call(call) => {
                let self_time = self_times[call].filter(|_| !chain.calls[call].children.is_empty());
                lines.push(call_line(chain, call, &prefix, start, self_time));
                let call = &chain.calls[call];
                stack(&mut waiting, siblings(chain, &call.children, &call.marks), node.depth + 1);
            }
            What::Mark(mark) => lines.push(mark_line(&chain.entries[mark], &prefix, start)),
        }
    }
    lines
}

/// Calls and marks of one parent in the order of time.
fn siblings(chain: &Chain<'_>, calls: &[usize], marks: &[usize]) -> Vec<What> {
    let first = |call: usize| chain.calls[call].enter.or(chain.calls[call].leave).unwrap_or_default();
    let mut all: Vec<(usize, What)> = calls.iter().map(|&call| (first(call), What::Call(call))).collect();
    all.extend(marks.iter().map(|&mark| (mark, What::Mark(mark))));
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, what)| what).collect()
}

fn stack(waiting: &mut Vec<Node>, siblings: Vec<What>, depth: usize) {
    let count = siblings.len();
    let nodes = siblings.into_iter().enumerate().map(|(place, what)| Node { what, depth, last: place + 1 == count });
    waiting.extend(nodes.rev());
}

fn prefix(open: &[bool], node: &Node) -> String {
    if node.depth == 0 {
        return String::new();
    }
    let mut prefix = String::new();
    for &goes_on in open.iter().skip(1) {
        prefix.push_str(if goes_on { "│  " } else { "   " });
    }
    prefix.push_str(if node.last { "└─ " } else { "├─ " });
    if node.depth > MAX_DRAWN_DEPTH {
        prefix = prefix + "(" + &node.depth.to_string() + " deep) ";
    }
    prefix
}

fn call_line(chain: &Chain<'_>, call: usize, prefix: &str, start: f64, self_time: Option<f64>) -> Line {
    let entry = chain.described_by(call);
    let what = format!("{} {}", harmless(entry.operation), harmless(entry.endpoint));
    let (result, result_style) = match (chain.calls[call].status(), chain.duration(call)) {
        (CallStatus::Finished, Some(duration)) => (format::duration(duration), anstyle::Style::new()),
        (CallStatus::Orphan, _) => ("no enter".to_owned(), style::BAD),
        _ => ("unfinished".to_owned(), style::BAD),
    };
    let self_time = self_time.map(format::duration).unwrap_or_default();
    Line { result, result_style, self_time, ..line(entry, prefix, &what, start) }
}

fn mark_line(entry: &EntryRef<'_>, prefix: &str, start: f64) -> Line {
    let what = format!("· {} {} {}", harmless(entry.direction), harmless(entry.operation), harmless(entry.endpoint));
    line(entry, prefix, &what, start)
}

/// A line without a result.
fn line(entry: &EntryRef<'_>, prefix: &str, what: &str, start: f64) -> Line {
    let source = harmless(entry.source_id);
    let host = format!("@{}", harmless(entry.hostname));
    Line {
        offset: format!("+{}", format::duration(entry.timestamp - start)),
        width: format!("{prefix}{source}{host} {what}").width(),
        label: format!(
            "{prefix}{}{} {what}",
            style::paint(style::of_source(entry.source_id), &source),
            style::paint(style::FAINT, &host)
        ),
        result: String::new(),
        result_style: anstyle::Style::new(),
        self_time: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tracehub_client::TraceEntry;

    use super::super::escape::is_harmful;
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

    fn drawn(traces: Vec<TraceEntry>, complete: bool) -> String {
        let count = traces.len() as u64;
        let answer = ChainAnswer { correlation_id: "order-42".to_owned(), traces, count, complete };
        let mut out = Vec::new();
        chain(&mut out, &answer, &TimeZone::UTC).unwrap();
        anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
    }

    /// The text without line ends and without this program's own colours. What else steers a terminal stays.
    fn without_colours(out: Vec<u8>) -> String {
        let text = String::from_utf8(out).unwrap().replace('\n', "");
        let mut parts = text.split("\u{1b}[");
        let mut plain = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            match part.split_once('m') {
                Some((code, rest)) if code.bytes().all(|byte| byte.is_ascii_digit() || byte == b';') => plain += rest,
                _ => plain = plain + "\u{1b}[" + part,
            }
        }
        plain
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
            drawn(traces, false),
            "order-42  incomplete  7 entries, 1 call unfinished, 1 call without enter\n\
             2024-02-01 16:00:00.000  1.51 s\n\
             \n\
             \u{20}  +0 ms  MA@web REST /orders                          1.51 s  self 2.50 ms\n\
             +2.00 ms  ├─ WK@web REST /reserve                       10 ms\n\
             +3.00 ms  │  └─ WK@web · cache-miss REST /reserve\n\
             \u{20} +13 ms  └─ WK@web REST /invoice                  unfinished\n\
             \u{20} +20 ms     └─ WK@web REST /gone                    no enter\n\
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
            drawn(traces, true),
            "order-42  complete  4 entries\n\
             2024-02-01 16:00:00.000  100 ms\n\
             \n\
             the clock of db is ahead: its entries are drawn 4.98 s earlier\n\
             \n\
             \u{20}+0 ms  MA@web REST /orders    100 ms  self 40 ms\n\
             +20 ms  └─ WK@db REST /orders   60 ms\n\
             \n\
             longest gap  60 ms, after WK -> REST /orders (+20 ms), before WK <- REST /orders (+80 ms)\n\
             self time    WK 60 ms, MA 40 ms\n"
        );
    }

    #[test]
    fn depth_does_not_widen_lines_without_end() {
        let mut traces: Vec<_> = (0..500).map(|n| entry("A", "->", &n.to_string(), f64::from(n))).collect();
        traces.extend((0..500).map(|n| entry("A", "<-", &(499 - n).to_string(), f64::from(500 + n))));
        let text = drawn(traces, true);
        assert!(text.contains("(499 deep)"));
        assert!(text.lines().all(|line| line.width() < 250));
    }

    proptest! {
        #[test]
        fn nothing_in_an_entry_reaches_the_terminal_as_control(
            text in "\\PC{0,20}|[\\x00-\\x1f\\x7f-\\u{9f}\\u{202e}]{0,5}",
            direction in prop_oneof![Just("->"), Just("<-"), Just("\u{1b}]52")],
        ) {
            // Read as a client reads it: a server's answer may hold what a builder would refuse.
            let json = serde_json::json!({
                "source_id": text, "correlation_id": text, "timestamp": 1.0, "suffix": text, "direction": direction,
                "operation": text, "endpoint": text, "data": {"k": text}, "hostname": text, "raw_line": text,
            });
            let entry: TraceEntry = serde_json::from_str(&json.to_string()).unwrap();
            let mut line = Vec::new();
            super::super::table::entry(&mut line, &entry, &TimeZone::UTC).unwrap();
            prop_assert!(!without_colours(line).contains(is_harmful));
            let mut tree = Vec::new();
            let answer = ChainAnswer { correlation_id: text, traces: vec![entry], count: 1, complete: false };
            chain(&mut tree, &answer, &TimeZone::UTC).unwrap();
            prop_assert!(!without_colours(tree).contains(is_harmful));
        }
    }
}
