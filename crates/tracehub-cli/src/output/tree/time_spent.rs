//! Below a chain's tree: where its time went.

use std::io::{self, Write};

use anstyle::Style;
use tracehub_core::EntryRef;
use tracehub_core::chain::{CallStatus, Chain};

use super::super::escape::harmless;
use super::super::text::Text;
use super::super::{format, style};

/// What follows a line that does not fit stands below its text.
const INDENT: usize = 13;
/// Sources that are named; more are counted.
const MAX_NAMED_SOURCES: usize = 8;

/// Names the longest time in which nobody logged anything, and what each source took itself.
pub(crate) fn summary(out: &mut impl Write, chain: &Chain<'_>, terminal: Option<usize>) -> io::Result<()> {
    let lines = [("longest gap", longest_gap(chain)), ("self time", self_times(chain))];
    let lines: Vec<_> = lines.into_iter().filter_map(|(name, text)| Some((name, text?))).collect();
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    for (name, text) in lines {
        Text::styled(style::FAINT, format!("{name:<11}  ")).join(text).write(out, terminal, INDENT)?;
    }
    Ok(())
}

/// None where the chain has one call or less: then the gap is the call.
fn longest_gap(chain: &Chain<'_>) -> Option<Text> {
    let gap = chain.longest_gap().filter(|gap| gap.duration > 0.0 && chain.entries.len() > 2)?;
    let start = chain.span()?.0;
    let end = |place: usize| {
        let entry: &EntryRef<'_> = &chain.entries[place];
        let texts = [entry.source_id, entry.direction, entry.operation, entry.endpoint].map(harmless);
        format!("{} (+{})", texts.join(" "), format::duration(entry.timestamp - start))
    };
    Some(Text::plain(format!(
        "{}, after {}, before {}",
        format::duration(gap.duration),
        end(gap.after),
        end(gap.before)
    )))
}

/// The sources that took longest first; none where only one took any time.
fn self_times(chain: &Chain<'_>) -> Option<Text> {
    let mut totals: Vec<_> = chain
        .source_totals()
        .into_iter()
        .map(|(source, total)| (source, total.self_ms))
        .filter(|(_, ms)| *ms > 0.0)
        .collect();
    if totals.len() < 2 {
        return None;
    }
    totals.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut text = Text::default();
    for (place, (source, ms)) in totals.iter().take(MAX_NAMED_SOURCES).enumerate() {
        let text_before = if place == 0 { text } else { text.and(Style::new(), ", ") };
        text = text_before.and(style::of_source(source), harmless(source));
        text = text.and(Style::new(), format!(" {}", format::duration(*ms)));
    }
    if totals.len() > MAX_NAMED_SOURCES {
        let others = &totals[MAX_NAMED_SOURCES..];
        let together: f64 = others.iter().map(|(_, ms)| ms).sum();
        text = text.and(Style::new(), format!(", {} others {}", others.len(), format::duration(together)));
    }
    let unknown = if chain.count(CallStatus::Unfinished) > 0 { "; of unfinished calls unknown" } else { "" };
    Some(text.and(Style::new(), unknown))
}
