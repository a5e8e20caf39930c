//! Clocks that differ: how far a host's clock is off, as far as calls across services show it.
//!
//! A caller encloses its callee in time, on one clock. Where a call and a call of another service on another host have
//! the same endpoint, the longer is taken for the caller; where that one does not enclose the other, a clock is off. Each
//! such pair allows a range of offsets; what all pairs of two hosts allow is halved, as Jaeger's clock skew adjuster does
//! for a single pair (<https://www.jaegertracing.io/docs/latest/deployment/frontend-ui/#clock-skew-adjustment>): the
//! way there and the way back are taken to be of one length. Pairs that contradict each other say nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::pairing;
use crate::entry::EntryRef;

/// The most services on hosts that share an endpoint and are compared with each other.
const MAX_SIDES: usize = 16;

/// How far a host's clock is off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockOffset<'a> {
    /// The host.
    pub hostname: &'a str,
    /// What is to be added to its timestamps, in ms.
    pub offset_ms: f64,
}

/// A service on a host.
type Side<'a> = (&'a str, &'a str);
/// When a call began and ended, Unix ms.
type Span = (f64, f64);
/// The finished calls of one endpoint by side, in the order in which they began.
type Sides<'a> = BTreeMap<Side<'a>, Vec<Span>>;

/// The offsets that bring callees into their callers.
#[derive(Debug, Clone, Copy)]
struct Range {
    least: f64,
    most: f64,
}

impl Range {
    const ALL: Self = Self { least: f64::NEG_INFINITY, most: f64::INFINITY };

    fn and(self, other: Self) -> Self {
        Self { least: self.least.max(other.least), most: self.most.min(other.most) }
    }

    /// The offset to assume: none if none is needed, or if the pairs contradict each other.
    fn offset(self) -> f64 {
        if self.least > self.most || (self.least <= 0.0 && self.most >= 0.0) {
            return 0.0;
        }
        f64::midpoint(self.least, self.most)
    }
}

/// The hosts whose clocks are off, of a chain's entries in time order. In the order of their names.
#[must_use]
pub fn clock_offsets<'a>(entries: &[EntryRef<'a>]) -> Vec<ClockOffset<'a>> {
    let ranges = ranges(entries);
    let mut callees: BTreeMap<&str, Vec<(&str, f64)>> = BTreeMap::new();
    let mut called = BTreeSet::new();
    for (&(caller, callee), range) in &ranges {
        callees.entry(caller).or_default().push((callee, range.offset()));
        called.insert(callee);
    }
    // From the hosts that nobody calls inwards: theirs is the clock that the others are compared with.
    let mut offsets: BTreeMap<&str, f64> =
        callees.keys().filter(|host| !called.contains(*host)).map(|host| (*host, 0.0)).collect();
    let mut waiting: VecDeque<&str> = offsets.keys().copied().collect();
    while let Some(caller) = waiting.pop_front() {
        let of_caller = offsets.get(caller).copied().unwrap_or_default();
        for &(callee, offset) in callees.get(caller).into_iter().flatten() {
            if !offsets.contains_key(callee) {
                offsets.insert(callee, of_caller + offset);
                waiting.push_back(callee);
            }
        }
    }
    offsets
        .into_iter()
        .filter(|(_, offset)| *offset != 0.0)
        .map(|(hostname, offset_ms)| ClockOffset { hostname, offset_ms })
        .collect()
}

/// Moves the entries of hosts whose clocks are off, and brings all of them into time order again. Each entry comes with
/// its place in the chain as it was logged, which is kept.
pub fn correct_clocks<'a>(entries: &mut [(usize, EntryRef<'a>)]) -> Vec<ClockOffset<'a>> {
    let as_logged: Vec<EntryRef<'a>> = entries.iter().map(|(_, entry)| *entry).collect();
    let offsets = clock_offsets(&as_logged);
    if !offsets.is_empty() {
        for (_, entry) in &mut *entries {
            let offset = offsets.iter().find(|offset| offset.hostname == entry.hostname);
            entry.timestamp += offset.map_or(0.0, |offset| offset.offset_ms);
        }
        entries.sort_by(|a, b| a.1.timestamp.total_cmp(&b.1.timestamp));
    }
    offsets
}

/// For each two hosts of which one calls the other: the offsets that all their calls allow.
fn ranges<'a>(entries: &[EntryRef<'a>]) -> BTreeMap<(&'a str, &'a str), Range> {
    let mut endpoints: HashMap<&str, Sides<'_>> = HashMap::new();
    for call in pairing::pair(entries) {
        if let (Some(enter), Some(leave)) = (call.enter, call.leave) {
            let (enter, end) = (&entries[enter], entries[leave].timestamp);
            let sides = endpoints.entry(enter.endpoint).or_default();
            sides.entry((enter.source_id, enter.hostname)).or_default().push((enter.timestamp, end));
        }
    }
    let mut ranges: BTreeMap<(&str, &str), Range> = BTreeMap::new();
    for sides in endpoints.values().filter(|sides| (2..=MAX_SIDES).contains(&sides.len())) {
        for (caller, outer) in sides {
            for (callee, inner) in sides {
                if caller.0 != callee.0
                    && caller.1 != callee.1
                    && let Some(range) = range(outer, inner)
                {
                    let known = ranges.entry((caller.1, callee.1)).or_insert(Range::ALL);
                    *known = known.and(range);
                }
            }
        }
    }
    ranges
}

/// The offsets that bring each callee into its caller; none if these are not caller and callee.
fn range(outer: &[Span], inner: &[Span]) -> Option<Range> {
    if outer.len() != inner.len() {
        return None;
    }
    let mut all = Range::ALL;
    let mut longer = false;
    for ((start, end), (inner_start, inner_end)) in outer.iter().zip(inner) {
        let spare = (end - start) - (inner_end - inner_start);
        if spare < 0.0 {
            return None;
        }
        longer |= spare > 0.0;
        all = all.and(Range { least: start - inner_start, most: end - inner_end });
    }
    longer.then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `source@host endpoint start end` for each call, in any order.
    fn offsets(notes: &str) -> Vec<(String, f64)> {
        let mut entries = Vec::new();
        for note in notes.split(',') {
            let words: Vec<&str> = note.split_whitespace().collect();
            let (source_id, hostname) = words[0].split_once('@').unwrap();
            for (direction, timestamp) in [("->", words[2]), ("<-", words[3])] {
                entries.push(EntryRef {
                    source_id,
                    correlation_id: "c",
                    timestamp: timestamp.parse().unwrap(),
                    suffix: note,
                    direction,
                    operation: "REST",
                    endpoint: words[1],
                    data: None,
                    hostname,
                    raw_line: None,
                });
            }
        }
        entries.sort_by(|a, b| a.timestamp.total_cmp(&b.timestamp));
        clock_offsets(&entries).iter().map(|offset| (offset.hostname.to_owned(), offset.offset_ms)).collect()
    }

    #[test]
    fn a_callee_outside_its_caller_is_brought_to_its_middle() {
        // 60 of 100 ms: 20 on the way there, 20 on the way back.
        assert_eq!(offsets("A@web /x 1000 1100, B@db /x 5000 5060"), [("db".to_owned(), -3980.0)]);
        assert_eq!(offsets("A@web /x 1000 1100, B@db /x 10 70"), [("db".to_owned(), 1010.0)]);
    }

    #[test]
    fn clocks_that_agree_are_left_alone() {
        assert!(offsets("A@web /x 1000 1100, B@db /x 1000 1060").is_empty());
        assert!(offsets("A@web /x 1000 1100, B@db /other 5000 5060").is_empty());
        assert!(offsets("A@web /x 1000 1100, B@web /x 5000 5060").is_empty());
        assert!(offsets("A@web /x 1000 1100, A@db /x 5000 5060").is_empty());
    }

    #[test]
    fn what_all_calls_allow_counts_and_contradictions_do_not() {
        let two = "A@web /x 0 100, B@db /x 1000 1060, A@web /y 200 300, B@db /y 1230 1300";
        // The first allows -1000 to -960, the second -1030 to -1000.
        assert_eq!(offsets(two), [("db".to_owned(), -1000.0)]);
        let torn = "A@web /x 0 100, B@db /x 1000 1060, A@web /y 200 300, B@db /y 5000 5060";
        assert!(offsets(torn).is_empty());
    }

    #[test]
    fn offsets_add_up_along_the_way() {
        let chain = "A@web /x 0 1000, B@shop /x 5000 5900, B@shop /y 5100 5800, C@db /y 50 700";
        // shop is 4950 ahead; db, seen from shop, 5075 behind.
        assert_eq!(offsets(chain), [("db".to_owned(), 125.0), ("shop".to_owned(), -4950.0)]);
    }
}
