//! What `GET /traces/{correlation_id}/calls` answers: a chain as a forest of calls, and where its time went.

use serde::{Deserialize, Serialize};

use super::number::finite;
use super::read::is_complete;
use crate::chain::{CallStatus, Chain, ClockOffset, correct_clocks};
use crate::entry::EntryRef;

/// A chain as calls. Calls are named by their place in `calls`, entries by their place in the answer to
/// `GET /traces/{correlation_id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CallsAnswer {
    /// The chain that was asked for.
    pub correlation_id: String,
    /// How many entries it has.
    pub count: u64,
    /// Whether there is an enter and there are as many leaves as enters.
    pub complete: bool,
    /// The first timestamp, Unix ms, clocks corrected; none without entries.
    pub start: Option<f64>,
    /// The last timestamp, Unix ms, clocks corrected; none without entries.
    pub end: Option<f64>,
    /// From the first to the last, in ms.
    pub duration_ms: f64,
    /// The calls from the outside in and from first to last, as they would be drawn.
    pub calls: Vec<CallAnswer>,
    /// The marks that no call encloses.
    pub marks: Vec<usize>,
    /// The calls that, had they been faster, would have made the chain faster, in time order.
    pub critical_path: Vec<SegmentAnswer>,
    /// The longest time in which nobody logged anything; none with fewer than two entries.
    pub longest_gap: Option<GapAnswer>,
    /// What each source has to do with it, by name.
    pub sources: Vec<SourceAnswer>,
    /// The hosts whose clocks are off, and by how much their entries were moved for this answer.
    pub skew: Vec<SkewAnswer>,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CallAnswer {
    /// The innermost call that encloses this one.
    pub parent: Option<usize>,
    /// How many calls enclose this one.
    pub depth: usize,
    /// Whether both ends are known.
    pub status: CallStatus,
    /// Who logged it.
    pub source_id: String,
    /// Where.
    pub hostname: String,
    /// What.
    pub operation: String,
    /// Of what.
    pub endpoint: String,
    /// When it was entered, Unix ms, clocks corrected; none for an orphan.
    pub start: Option<f64>,
    /// When it was left, Unix ms, clocks corrected; none for an unfinished call.
    pub end: Option<f64>,
    /// From enter to leave, in ms; of finished calls.
    pub duration_ms: Option<f64>,
    /// The time that no call inside it took, in ms; of finished calls. One inside that was not left counts until the end
    /// of this one.
    pub self_ms: Option<f64>,
    /// The entry that entered it.
    pub enter: Option<usize>,
    /// The entry that left it.
    pub leave: Option<usize>,
    /// The marks inside it and in no call further in.
    pub marks: Vec<usize>,
}

/// A stretch of the critical path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SegmentAnswer {
    /// The call that is to blame.
    pub call: usize,
    /// Unix ms, clocks corrected.
    pub start: f64,
    /// Unix ms, clocks corrected.
    pub end: f64,
}

/// The longest silence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GapAnswer {
    /// The last entry before it.
    pub after: usize,
    /// The first entry after it.
    pub before: usize,
    /// How long it was, in ms.
    pub duration_ms: f64,
}

/// What one source has to do with a chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SourceAnswer {
    /// The source.
    pub source_id: String,
    /// Its entries.
    pub entries: u64,
    /// Its calls, unfinished ones and orphans too.
    pub calls: u64,
    /// The time that its finished calls spent themselves, in ms.
    pub self_ms: f64,
}

/// A clock that is off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SkewAnswer {
    /// The host.
    pub hostname: String,
    /// What was added to its timestamps, in ms.
    pub offset_ms: f64,
}

impl CallsAnswer {
    /// Analyses a chain's entries, which are in the order of `GET /traces/{correlation_id}`. Without `with_skew`,
    /// times are taken as they were logged.
    #[must_use]
    pub fn new<'a>(correlation_id: &str, entries: impl Iterator<Item = EntryRef<'a>>, with_skew: bool) -> Self {
        let mut entries: Vec<(usize, EntryRef<'a>)> = entries.enumerate().collect();
        let skew = if with_skew { correct_clocks(&mut entries) } else { Vec::new() };
        let places: Vec<usize> = entries.iter().map(|(place, _)| *place).collect();
        let chain = Chain::new(entries.into_iter().map(|(_, entry)| entry));
        Self::of_chain(correlation_id, &chain, &places, &skew)
    }

    /// `places` says where each entry of the chain stood before clocks were corrected.
    fn of_chain(correlation_id: &str, chain: &Chain<'_>, places: &[usize], skew: &[ClockOffset<'_>]) -> Self {
        let outline: Vec<usize> = chain.outline().collect();
        let mut drawn_at = vec![0; outline.len()];
        for (drawn, &call) in outline.iter().enumerate() {
            drawn_at[call] = drawn;
        }
        let self_times = chain.self_times();
        let calls = outline.iter().map(|&place| {
            let call = &chain.calls[place];
            let described = chain.described_by(place);
            CallAnswer {
                parent: call.parent.map(|parent| drawn_at[parent]),
                depth: call.depth,
                status: call.status(),
                source_id: described.source_id.to_owned(),
                hostname: described.hostname.to_owned(),
                operation: described.operation.to_owned(),
                endpoint: described.endpoint.to_owned(),
                start: call.enter.map(|entry| finite(chain.entries[entry].timestamp)),
                end: call.leave.map(|entry| finite(chain.entries[entry].timestamp)),
                duration_ms: chain.duration(place).map(finite),
                self_ms: self_times[place].map(finite),
                enter: call.enter.map(|entry| places[entry]),
                leave: call.leave.map(|entry| places[entry]),
                marks: call.marks.iter().map(|&entry| places[entry]).collect(),
            }
        });
        let enters = chain.entries.iter().filter(|entry| entry.is_enter()).count();
        let leaves = chain.entries.iter().filter(|entry| entry.is_leave()).count();
        let span = chain.span();
        Self {
            correlation_id: correlation_id.to_owned(),
            count: chain.entries.len() as u64,
            complete: is_complete(enters as u64, leaves as u64),
            start: span.map(|(start, _)| finite(start)),
            end: span.map(|(_, end)| finite(end)),
            duration_ms: span.map_or(0.0, |(start, end)| finite(end - start)),
            calls: calls.collect(),
            marks: chain.loose_marks.iter().map(|&entry| places[entry]).collect(),
            critical_path: chain
                .critical_path()
                .into_iter()
                .map(|segment| SegmentAnswer {
                    call: drawn_at[segment.call],
                    start: finite(segment.start),
                    end: finite(segment.end),
                })
                .collect(),
            longest_gap: chain.longest_gap().map(|gap| GapAnswer {
                after: places[gap.after],
                before: places[gap.before],
                duration_ms: finite(gap.duration),
            }),
            sources: chain
                .source_totals()
                .into_iter()
                .map(|(source_id, total)| SourceAnswer {
                    source_id: source_id.to_owned(),
                    entries: total.entries,
                    calls: total.calls,
                    self_ms: finite(total.self_ms),
                })
                .collect(),
            skew: skew
                .iter()
                .map(|offset| SkewAnswer { hostname: offset.hostname.to_owned(), offset_ms: finite(offset.offset_ms) })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TraceEntry;

    fn entry(source: &str, hostname: &str, direction: &str, timestamp: f64) -> TraceEntry {
        TraceEntry::builder(source, "c")
            .hostname(hostname)
            .direction(direction.into())
            .operation("REST")
            .endpoint("/x")
            .suffix(source)
            .timestamp(timestamp)
            .build()
            .unwrap()
    }

    /// Nothing keeps a clock from being that wrong, and what is not finite is `null` in JSON.
    #[test]
    fn timestamps_at_the_ends_of_what_a_double_holds_are_finite_numbers_apart() {
        let entries = [
            entry("A", "web", "->", f64::MIN),
            entry("B", "db", "->", -1.0),
            entry("B", "db", "<-", 1e308),
            entry("A", "web", "<-", f64::MAX),
            entry("A", "web", "mark", f64::MAX),
        ];
        for with_skew in [true, false] {
            let answer = CallsAnswer::new("c", entries.iter().map(TraceEntry::as_ref), with_skew);
            let json = serde_json::to_string(&answer).unwrap();
            assert_eq!(serde_json::from_str::<CallsAnswer>(&json).unwrap(), answer);
            let compared = super::super::compare::CompareAnswer::new(&answer, &answer);
            let json = serde_json::to_string(&compared).unwrap();
            assert_eq!(serde_json::from_str::<super::super::compare::CompareAnswer>(&json).unwrap(), compared);
        }
    }

    #[test]
    fn a_callee_with_another_clock_is_drawn_inside_its_caller() {
        let entries = [
            entry("A", "web", "->", 1000.0),
            entry("A", "web", "<-", 1100.0),
            entry("B", "db", "->", 5000.0),
            entry("B", "db", "<-", 5060.0),
        ];
        let answer = |correct| CallsAnswer::new("c", entries.iter().map(TraceEntry::as_ref), correct);
        let corrected = answer(true);
        assert_eq!(corrected.skew, [SkewAnswer { hostname: "db".to_owned(), offset_ms: -3980.0 }]);
        let drawn: Vec<_> = corrected.calls.iter().map(|call| (call.depth, call.enter, call.start)).collect();
        assert_eq!(drawn, [(0, Some(0), Some(1000.0)), (1, Some(2), Some(1020.0))]);
        assert_eq!((corrected.duration_ms, corrected.calls[0].self_ms), (100.0, Some(40.0)));
        assert_eq!(corrected.critical_path.iter().map(|segment| segment.call).collect::<Vec<_>>(), [0, 1, 0]);
        let as_logged = answer(false);
        assert_eq!((as_logged.duration_ms, as_logged.skew.len()), (4060.0, 0));
        assert_eq!(as_logged.longest_gap, Some(GapAnswer { after: 1, before: 2, duration_ms: 3900.0 }));
    }

    #[test]
    fn an_empty_chain_has_an_answer() {
        let answer = CallsAnswer::new("nobody", std::iter::empty(), true);
        assert_eq!((answer.count, answer.complete, answer.start), (0, false, None));
        let json = serde_json::to_string(&answer).unwrap();
        assert_eq!(serde_json::from_str::<CallsAnswer>(&json).unwrap(), answer);
    }
}
