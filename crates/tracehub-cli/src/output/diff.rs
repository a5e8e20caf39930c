//! Two chains side by side, call by call.

use std::io::{self, Write};

use anstyle::Style;
use tracehub_client::{CallStatus, CompareAnswer, ComparedCall, ComparedChain, ComparedSide};

use super::columns::{self, Column};
use super::escape::harmless;
use super::look::Look;
use super::text::Text;
use super::{format, style};

/// A call that takes less longer than this, in ms, is as fast.
const SAME_MS: f64 = 1.0;
/// So is one that takes less longer than this part of its time.
const SAME_PART: f64 = 0.1;
/// What follows a line that does not fit is set in so far.
const INDENT: usize = 2;
/// Calls further in are drawn at this depth.
const MAX_DRAWN_DEPTH: usize = 20;

const COLUMNS: [Column; 5] =
    [Column::LEFT, Column::at_least(16), Column::RIGHT.going(1), Column::RIGHT.going(2), Column::LEFT];

/// What became of a call from one chain to the other.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    Missing,
    Added,
    /// It came back in the first and did not in the second.
    Hung,
    /// Ms, negative for faster.
    Slower(f64),
    None,
}

pub(super) fn table(out: &mut impl Write, answer: &CompareAnswer, look: &Look) -> io::Result<()> {
    let CompareAnswer { a, b, calls, .. } = answer;
    let chains = [("A", a), ("B", b)].map(|(name, chain)| heading(name, chain));
    columns::write(
        out,
        [Column::LEFT, Column::at_least(16), Column::LEFT, Column::RIGHT.going(1), Column::RIGHT],
        chains.into(),
        look.width,
    )?;
    Text::plain(verdict(answer)).write(out, look.width, INDENT)?;
    writeln!(out)?;
    if calls.is_empty() {
        return Ok(());
    }
    let heading = |text: &str| Text::styled(style::HEADING, text);
    let mut rows = vec![["", "CALL", "A", "B", ""].map(heading)];
    rows.extend(calls.iter().map(row));
    columns::write(out, COLUMNS, rows, look.width)
}

fn heading(name: &str, chain: &ComparedChain) -> [Text; 5] {
    [
        Text::styled(style::HEADING, name),
        Text::plain(harmless(&chain.correlation_id)),
        if chain.complete { Text::styled(style::GOOD, "complete") } else { Text::styled(style::BAD, "incomplete") },
        Text::plain(format::entries(chain.count)),
        Text::plain(format::duration(chain.duration_ms)),
    ]
}

/// The answer in one line: what is different.
fn verdict(answer: &CompareAnswer) -> String {
    let kinds =
        [(Change::Missing, "missing in B"), (Change::Added, "only in B"), (Change::Hung, "without return in B")];
    let mut parts: Vec<String> = kinds.into_iter().filter_map(|(kind, what)| all_of(answer, kind, what)).collect();
    if let Some((call, more)) = culprit(answer) {
        parts.push(format!("most time more in {}: {} of its own", name(call), signed(more)));
    }
    if parts.is_empty() { "no difference".to_owned() } else { parts.join("; ") }
}

/// How many calls have changed so, and which the first is.
fn all_of(answer: &CompareAnswer, kind: Change, what: &str) -> Option<String> {
    let mut calls = answer.calls.iter().filter(|call| change(call) == kind);
    let first = name(calls.next()?);
    match calls.count() {
        0 => Some(format!("1 call {what}: {first}")),
        others => Some(format!("{} calls {what}, the first is {first}", others + 1)),
    }
}

/// The call that itself, without those inside it, took more time than any other did.
fn culprit(answer: &CompareAnswer) -> Option<(&ComparedCall, f64)> {
    let own = |side: &Option<ComparedSide>| side.as_ref().and_then(|side| side.self_ms);
    let calls = answer.calls.iter();
    let more = calls.filter_map(|call| Some((call, own(&call.b)? - own(&call.a).unwrap_or(0.0))));
    more.filter(|(_, more)| *more >= SAME_MS).max_by(|a, b| a.1.total_cmp(&b.1))
}

fn row(call: &ComparedCall) -> [Text; 5] {
    let (sign, paint, note) = match change(call) {
        Change::Missing => ("-", style::BAD, "missing".to_owned()),
        Change::Added => ("+", style::GOOD, "added".to_owned()),
        Change::Hung => ("!", style::BAD, "did not come back".to_owned()),
        Change::Slower(more) => ("~", if more > 0.0 { style::SLOW } else { style::GOOD }, signed(more)),
        Change::None => (" ", Style::new(), String::new()),
    };
    let depth = call.b.as_ref().or(call.a.as_ref()).map_or(0, |side| side.depth).min(MAX_DRAWN_DEPTH);
    [
        Text::styled(paint, sign),
        Text::plain("  ".repeat(depth))
            .and(style::of_source(&call.source_id), harmless(&call.source_id))
            .and(Style::new(), format!(" {} {}", harmless(&call.operation), harmless(&call.endpoint))),
        time(call.a.as_ref()),
        time(call.b.as_ref()),
        Text::styled(paint, note),
    ]
}

fn time(side: Option<&ComparedSide>) -> Text {
    match side {
        None => Text::styled(style::FAINT, "-"),
        Some(ComparedSide { status: CallStatus::Orphan, .. }) => Text::styled(style::BAD, "no enter"),
        Some(ComparedSide { duration_ms: Some(duration), .. }) => Text::plain(format::duration(*duration)),
        Some(_) => Text::styled(style::BAD, "unfinished"),
    }
}

fn change(call: &ComparedCall) -> Change {
    let came_back = |side: &ComparedSide| side.status == CallStatus::Finished;
    match (&call.a, &call.b) {
        (Some(_), None) => Change::Missing,
        (None, _) => Change::Added,
        (Some(a), Some(b)) if came_back(a) && !came_back(b) => Change::Hung,
        (Some(a), Some(_)) => match (call.slower_ms, a.duration_ms) {
            (Some(more), Some(before)) if more.abs() >= SAME_MS && more.abs() >= before * SAME_PART => {
                Change::Slower(more)
            }
            _ => Change::None,
        },
    }
}

fn name(call: &ComparedCall) -> String {
    let texts = [&call.source_id, &call.operation, &call.endpoint].map(|text| harmless(text));
    texts.join(" ")
}

fn signed(ms: f64) -> String {
    let sign = if ms > 0.0 { "+" } else { "" };
    format!("{sign}{}", format::duration(ms))
}
