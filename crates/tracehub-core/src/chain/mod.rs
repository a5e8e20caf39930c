//! What a chain means: its entries become a forest of calls. Pure: no clock, no store, no guess that is not marked.
//!
//! `pairing` finds the leave of each enter, `nesting` finds which call encloses which, `report` where the time went,
//! `skew` which host's clock is off; `collect` keeps the entries meanwhile.

mod collect;
mod nesting;
mod pairing;
mod report;
mod skew;

pub use self::collect::ChainEntries;
pub use self::report::{Gap, Segment, SourceTotal};
pub use self::skew::{ClockOffset, clock_offsets, correct_clocks};

use serde::{Deserialize, Serialize};

use crate::entry::EntryRef;
use crate::wire::read::is_complete;

/// The entries of one chain and the calls they make. Calls, roots and children are in the order of their first entry.
#[derive(Debug, Clone)]
pub struct Chain<'a> {
    /// The entries, ordered by timestamp, ties as given.
    pub entries: Vec<EntryRef<'a>>,
    /// Every call; other fields name calls by their place here.
    pub calls: Vec<Call>,
    /// The calls that no other encloses.
    pub roots: Vec<usize>,
    /// The marks that no call encloses, as places in `entries`.
    pub loose_marks: Vec<usize>,
}

/// An enter and its leave, or one of the two alone. Entries are named by their place in [`Chain::entries`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The enter; none for an orphan.
    pub enter: Option<usize>,
    /// The leave; none for an unfinished call.
    pub leave: Option<usize>,
    /// The innermost call that encloses this one.
    pub parent: Option<usize>,
    /// The calls that this one encloses directly.
    pub children: Vec<usize>,
    /// The marks that were passed inside this call and in no call further in.
    pub marks: Vec<usize>,
    /// How many calls enclose this one.
    pub depth: usize,
}

/// Whether both ends of a call are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// Entered and left.
    Finished,
    /// Entered and not left.
    Unfinished,
    /// Left without having been entered.
    Orphan,
}

impl Call {
    /// Whether both ends are known.
    #[must_use]
    pub fn status(&self) -> CallStatus {
        match (self.enter, self.leave) {
            (Some(_), Some(_)) => CallStatus::Finished,
            (Some(_), None) => CallStatus::Unfinished,
            (None, _) => CallStatus::Orphan,
        }
    }
}

impl<'a> Chain<'a> {
    /// Makes the forest of calls of one chain's entries.
    ///
    /// A leave belongs to the enter of the same source, host, operation and endpoint that also has its suffix; without
    /// such an enter, to the innermost that is still open. A call lies in the innermost call that encloses it in time,
    /// whoever logged that. A call that was not left encloses what follows until the call around it ends. A mark lies
    /// in the innermost open call of its own source, or else of any. Takes time about linear in the entries.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = EntryRef<'a>>) -> Self {
        let mut entries: Vec<EntryRef<'a>> = entries.into_iter().collect();
        if !entries.is_sorted_by(|a, b| a.timestamp <= b.timestamp) {
            entries.sort_by(|a, b| a.timestamp.total_cmp(&b.timestamp));
        }
        let calls = pairing::pair(&entries);
        nesting::nest(entries, calls)
    }

    /// The entry that says what a call is: its enter, or the leave of an orphan.
    #[must_use]
    pub fn described_by(&self, call: usize) -> &EntryRef<'a> {
        let call = &self.calls[call];
        &self.entries[call.enter.or(call.leave).unwrap_or_default()]
    }

    /// How long a finished call took, in ms.
    #[must_use]
    pub fn duration(&self, call: usize) -> Option<f64> {
        let call = &self.calls[call];
        Some(self.entries[call.leave?].timestamp - self.entries[call.enter?].timestamp)
    }

    /// The timestamps of the first and the last entry, Unix ms; none without entries.
    #[must_use]
    pub fn span(&self) -> Option<(f64, f64)> {
        Some((self.entries.first()?.timestamp, self.entries.last()?.timestamp))
    }

    /// How many calls have this status.
    #[must_use]
    pub fn count(&self, status: CallStatus) -> usize {
        self.calls.iter().filter(|call| call.status() == status).count()
    }

    /// Whether there is an enter and there are as many leaves as enters: the original's rule, which asks for numbers
    /// alone.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let enters = self.entries.iter().filter(|entry| entry.is_enter()).count();
        let leaves = self.entries.iter().filter(|entry| entry.is_leave()).count();
        is_complete(enters as u64, leaves as u64)
    }

    /// The calls from the outside in and from first to last, as they would be drawn.
    pub fn outline(&self) -> impl Iterator<Item = usize> {
        // A stack of its own, because calls nest as deep as strangers like.
        let mut waiting: Vec<usize> = self.roots.iter().rev().copied().collect();
        std::iter::from_fn(move || {
            let next = waiting.pop()?;
            waiting.extend(self.calls[next].children.iter().rev());
            Some(next)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `source suffix direction operation timestamp`, such as `MA 1 -> a 10`.
    pub(super) fn entries(notes: &str) -> Vec<EntryRef<'_>> {
        let notes = notes.split(',').map(|note| note.split_whitespace().collect::<Vec<_>>());
        notes
            .map(|words| EntryRef {
                source_id: words[0],
                correlation_id: "c",
                timestamp: words[4].parse().unwrap(),
                suffix: words[1],
                direction: words[2],
                operation: words[3],
                endpoint: "/",
                data: None,
                hostname: "h",
                raw_line: None,
            })
            .collect()
    }

    /// The outline as `operation` with a dot for each call around it, `!` unfinished, `?` orphan, `*n` with n marks.
    fn outline(notes: &str) -> Vec<String> {
        let chain = Chain::new(entries(notes));
        let draw = |call: usize| {
            let Call { depth, marks, .. } = &chain.calls[call];
            let status = match chain.calls[call].status() {
                CallStatus::Finished => "",
                CallStatus::Unfinished => "!",
                CallStatus::Orphan => "?",
            };
            let marks = if marks.is_empty() { String::new() } else { format!("*{}", marks.len()) };
            format!("{}{}{status}{marks}", ".".repeat(*depth), chain.described_by(call).operation)
        };
        chain.outline().map(draw).collect()
    }

    #[test]
    fn a_callee_lies_in_its_caller_across_services() {
        let notes = "MA 1 -> a 10, WK 2 -> b 20, WK 3 <- b 30, WK 4 -> c 31, WK 5 <- c 32, MA 6 <- a 40";
        assert_eq!(outline(notes), ["a", ".b", ".c"]);
    }

    #[test]
    fn the_same_suffix_pairs_before_the_innermost() {
        let chain = Chain::new(entries("A x -> a 1, A y -> a 2, A x <- a 3, A y <- a 4"));
        assert_eq!(chain.calls.iter().map(|call| call.leave).collect::<Vec<_>>(), [Some(2), Some(3)]);
        // A leave without a suffix of its own takes the innermost, but not one that another leave knows by suffix.
        let chain = Chain::new(entries("A x -> a 1, A y -> a 2, A other <- a 3, A y <- a 4"));
        assert_eq!(chain.calls.iter().map(|call| call.leave).collect::<Vec<_>>(), [Some(2), Some(3)]);
    }

    #[test]
    fn what_is_missing_is_kept_and_marked() {
        assert_eq!(outline("A 1 -> a 1, A 2 -> b 2, A 3 <- a 3"), ["a", ".b!"]);
        assert_eq!(outline("A 1 -> a 1, A 2 <- b 2, A 3 <- a 3"), ["a", ".b?"]);
        assert_eq!(outline("A 1 <- a 1, B 1 -> a 2"), ["a?", "a!"]);
    }

    #[test]
    fn an_unfinished_call_ends_where_the_call_around_it_ends() {
        let notes =
            "A 1 -> a 1, B 2 -> hung 2, B 3 -> inner 3, B 4 <- inner 4, A 5 <- a 5, A 6 -> next 6, A 7 <- next 7";
        assert_eq!(outline(notes), ["a", ".hung!", "..inner", "next"]);
    }

    #[test]
    fn calls_that_overlap_are_siblings() {
        assert_eq!(outline("A 1 -> a 1, A 2 -> b 2, A 3 <- a 3, A 4 <- b 4"), ["a", "b"]);
        let notes = "M 0 -> m 0, A 1 -> a 1, B 2 -> b 2, A 3 <- a 3, B 4 <- b 4, M 5 <- m 5";
        assert_eq!(outline(notes), ["m", ".a", ".b"]);
    }

    #[test]
    fn leaves_at_one_time_do_not_part_callee_and_caller() {
        // The caller's batch arrived first.
        assert_eq!(
            outline("A 1 -> a 1, B 2 -> b 2, C 3 -> c 3, A 4 <- a 9, B 5 <- b 9, C 6 <- c 9"),
            ["a", ".b", "..c"]
        );
        assert_eq!(
            outline("A 1 -> a 1, B 2 -> b 2, A 3 <- a 9, C 4 -> c 9, B 5 <- b 9, C 6 <- c 10"),
            ["a", ".b", "c"]
        );
    }

    #[test]
    fn marks_lie_in_their_own_sources_call() {
        assert_eq!(outline("A 1 -> a 1, B 2 -> b 2, A m ! a 3, B 4 <- b 4, A 5 <- a 5"), ["a*1", ".b"]);
        assert_eq!(outline("A 1 -> a 1, C m ! a 3, A 5 <- a 5"), ["a*1"]);
        assert_eq!(Chain::new(entries("A m ! a 3")).loose_marks, [0]);
    }

    #[test]
    fn totals_follow_the_rule_of_the_original() {
        let chain = Chain::new(entries("A 1 -> a 1, A 2 <- b 5"));
        assert!(chain.is_complete());
        assert_eq!((chain.count(CallStatus::Unfinished), chain.count(CallStatus::Orphan)), (1, 1));
        assert_eq!(chain.span(), Some((1.0, 5.0)));
        assert!(!Chain::new([]).is_complete());
    }

    #[test]
    fn depth_and_overlap_cost_no_more_than_their_number() {
        // Each shape, made quadratic by mistake, would take minutes.
        let shape = |timestamp: fn(usize) -> (f64, f64)| {
            let suffixes: Vec<String> = (0..50_000).map(|n| n.to_string()).collect();
            let mut all = Vec::new();
            for (n, suffix) in suffixes.iter().enumerate() {
                let (start, end) = timestamp(n);
                for (direction, at) in [("->", start), ("<-", end)] {
                    all.push(EntryRef { suffix, direction, timestamp: at, ..entries("A s d a 0")[0] });
                }
            }
            Chain::new(all).outline().count()
        };
        assert_eq!(shape(|n| (n as f64, 200_000.0 - n as f64)), 50_000);
        assert_eq!(shape(|n| (n as f64, n as f64 + 60_000.0)), 50_000);
        assert_eq!(shape(|n| (n as f64 * 2.0, n as f64 * 2.0 + 1.0)), 50_000);
    }

    pub(super) fn any_entries() -> impl Strategy<Value = Vec<(usize, usize, usize, usize, u8)>> {
        prop::collection::vec((0..3_usize, 0..4_usize, 0..3_usize, 0..2_usize, 0..12_u8), 0..60)
    }

    pub(super) fn entries_of(notes: &[(usize, usize, usize, usize, u8)]) -> Vec<EntryRef<'static>> {
        let base = entries("A s d a 0")[0];
        let entry = |&(source, suffix, direction, operation, timestamp): &(usize, usize, usize, usize, u8)| EntryRef {
            source_id: ["A", "B", "C"][source],
            suffix: ["1", "2", "3", "4"][suffix],
            direction: ["->", "<-", "!"][direction],
            operation: ["a", "b"][operation],
            timestamp: f64::from(timestamp),
            ..base
        };
        notes.iter().map(entry).collect()
    }

    proptest! {
        #[test]
        fn every_entry_has_one_place_and_every_call_its_parent(notes in any_entries()) {
            let chain = Chain::new(entries_of(&notes));
            let marks = chain.calls.iter().flat_map(|call| &call.marks).chain(&chain.loose_marks);
            let mut places: Vec<usize> =
                chain.calls.iter().flat_map(|call| call.enter.into_iter().chain(call.leave)).chain(marks.copied()).collect();
            places.sort_unstable();
            prop_assert_eq!(places, (0..notes.len()).collect::<Vec<_>>());

            let mut drawn: Vec<usize> = chain.outline().collect();
            drawn.sort_unstable();
            prop_assert_eq!(drawn, (0..chain.calls.len()).collect::<Vec<_>>());
            for (place, call) in chain.calls.iter().enumerate() {
                if let (Some(enter), Some(leave)) = (call.enter, call.leave) {
                    let (enter, leave) = (&chain.entries[enter], &chain.entries[leave]);
                    prop_assert_eq!((enter.source_id, enter.operation), (leave.source_id, leave.operation));
                    prop_assert!(enter.timestamp <= leave.timestamp);
                }
                if let Some(parent) = call.parent {
                    let parent = &chain.calls[parent];
                    prop_assert!(parent.children.contains(&place) && parent.depth + 1 == call.depth);
                    prop_assert!(parent.enter <= call.enter.or(call.leave));
                    if let (Some(outer), Some(inner)) = (parent.leave, call.leave) {
                        prop_assert!(chain.entries[inner].timestamp <= chain.entries[outer].timestamp);
                    }
                } else {
                    prop_assert!(chain.roots.contains(&place) && call.depth == 0);
                }
            }
        }
    }
}
