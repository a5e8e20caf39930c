//! Where the time went: self times, the critical path, the longest silence, totals by source.

use std::collections::BTreeMap;

use super::Chain;

/// A stretch of time that one call is to blame for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// The call, as a place in [`Chain::calls`].
    pub call: usize,
    /// Unix ms.
    pub start: f64,
    /// Unix ms.
    pub end: f64,
}

/// The longest time in which nobody logged anything. Entries are named by their place in [`Chain::entries`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// The last entry before it.
    pub after: usize,
    /// The first entry after it.
    pub before: usize,
    /// In ms.
    pub duration: f64,
}

/// What one source has to do with a chain.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SourceTotal {
    /// Its entries.
    pub entries: u64,
    /// Its calls, unfinished ones and orphans too.
    pub calls: u64,
    /// The self times of its finished calls together, in ms.
    pub self_ms: f64,
}

impl<'a> Chain<'a> {
    /// For each call the time that it spent itself, in ms: its duration without the times in which calls directly inside
    /// it ran. None where a call was not both entered and left.
    #[must_use]
    pub fn self_times(&self) -> Vec<Option<f64>> {
        let extents = self.extents();
        let self_time = |call: usize| {
            let duration = self.duration(call)?;
            let (start, end) = extents[call];
            // Children are in the order of their starts, so what they cover together is found in one pass.
            let (mut covered, mut reached) = (0.0, start);
            for &child in &self.calls[call].children {
                let (child_start, child_end) = extents[child];
                covered += (child_end.min(end) - child_start.max(reached)).max(0.0);
                reached = reached.max(child_end);
            }
            Some((duration - covered).max(0.0))
        };
        (0..self.calls.len()).map(self_time).collect()
    }

    /// For each call from when to when it ran, Unix ms. One that was not left runs until the call around it ends, or the
    /// chain; of an orphan only the end is known.
    #[must_use]
    pub fn extents(&self) -> Vec<(f64, f64)> {
        let at = |entry: usize| self.entries[entry].timestamp;
        let end_of_chain = self.span().map_or(0.0, |(_, end)| end);
        let mut extents: Vec<(f64, f64)> = Vec::with_capacity(self.calls.len());
        for call in &self.calls {
            // A call comes after the one around it.
            let end_around = call.parent.and_then(|parent| extents.get(parent)).map_or(end_of_chain, |around| around.1);
            let end = call.leave.map_or(end_around, at);
            extents.push((call.enter.map_or(end, at), end));
        }
        extents
    }

    /// The critical path: the calls that, had they been faster, would have made the chain faster, in time order.
    ///
    /// From the end backwards: the call that ended last is to blame until it began, then whatever ended last before
    /// that, and within each of them its own calls likewise (as CRISP does, Zhang and others 2022,
    /// <https://www.usenix.org/conference/atc22/presentation/zhang-zhizhou>).
    #[must_use]
    pub fn critical_path(&self) -> Vec<Segment> {
        let Some((start, end)) = self.span() else { return Vec::new() };
        let extents = self.extents();
        let mut path = Vec::new();
        // A stack of its own, because calls nest as deep as strangers like.
        let mut frames = vec![Frame { call: None, start, cursor: end, children: by_end(&self.roots, &extents) }];
        while let Some(frame) = frames.last_mut() {
            let Some((child, child_start, child_end)) = frame.next_child() else {
                frame.blame(frame.start, &mut path);
                frames.pop();
                continue;
            };
            frame.blame(child_end, &mut path);
            frame.cursor = child_start;
            let children = by_end(&self.calls[child].children, &extents);
            frames.push(Frame { call: Some(child), start: child_start, cursor: child_end, children });
        }
        path.reverse();
        path
    }

    /// The longest time between two entries in a row; none with fewer than two entries.
    #[must_use]
    pub fn longest_gap(&self) -> Option<Gap> {
        let gaps = self.entries.windows(2).enumerate().map(|(after, pair)| Gap {
            after,
            before: after + 1,
            duration: pair[1].timestamp - pair[0].timestamp,
        });
        // Of equal ones the first.
        gaps.reduce(|longest, gap| if gap.duration > longest.duration { gap } else { longest })
    }

    /// What each source has to do with the chain.
    #[must_use]
    pub fn source_totals(&self) -> BTreeMap<&'a str, SourceTotal> {
        let mut totals: BTreeMap<&str, SourceTotal> = BTreeMap::new();
        for entry in &self.entries {
            totals.entry(entry.source_id).or_default().entries += 1;
        }
        for (call, self_time) in self.self_times().into_iter().enumerate() {
            let total = totals.entry(self.described_by(call).source_id).or_default();
            total.calls += 1;
            total.self_ms += self_time.unwrap_or(0.0);
        }
        totals
    }
}

/// The calls with their extents, the one that ended last at the end.
fn by_end(calls: &[usize], extents: &[(f64, f64)]) -> Vec<(usize, f64, f64)> {
    let mut calls: Vec<_> = calls.iter().map(|&call| (call, extents[call].0, extents[call].1)).collect();
    calls.sort_by(|a, b| a.2.total_cmp(&b.2));
    calls
}

/// A call on the way back through time; none is the chain itself.
struct Frame {
    call: Option<usize>,
    start: f64,
    /// Everything after this is blamed on somebody already.
    cursor: f64,
    children: Vec<(usize, f64, f64)>,
}

impl Frame {
    /// The child that ended last before the cursor. Those that ran beside it are passed over.
    fn next_child(&mut self) -> Option<(usize, f64, f64)> {
        while let Some(child) = self.children.pop() {
            if child.2 <= self.cursor {
                return Some(child);
            }
        }
        None
    }

    fn blame(&self, start: f64, path: &mut Vec<Segment>) {
        if let Some(call) = self.call
            && start < self.cursor
        {
            path.push(Segment { call, start, end: self.cursor });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{any_entries, entries, entries_of};
    use super::*;
    use proptest::prelude::*;

    fn chain(notes: &str) -> Chain<'_> {
        Chain::new(entries(notes))
    }

    fn path(chain: &Chain<'_>) -> Vec<(String, f64, f64)> {
        let named =
            |segment: &Segment| (chain.described_by(segment.call).operation.to_owned(), segment.start, segment.end);
        chain.critical_path().iter().map(named).collect()
    }

    #[test]
    fn self_time_is_what_no_call_inside_takes() {
        let chain = chain("A 1 -> a 0, B 2 -> b 10, C 3 -> c 20, B 2 <- b 40, C 3 <- c 50, A 1 <- a 100");
        // b and c overlap: together they cover 10 to 50.
        assert_eq!(chain.self_times(), [Some(60.0), Some(30.0), Some(30.0)]);
    }

    #[test]
    fn an_unfinished_call_takes_the_rest_of_the_call_around_it() {
        let chain = chain("A 1 -> a 0, B 2 -> hung 30, A 1 <- a 100");
        assert_eq!(chain.self_times(), [Some(30.0), None]);
        assert_eq!(path(&chain), [("a".into(), 0.0, 30.0), ("hung".into(), 30.0, 100.0)]);
    }

    #[test]
    fn the_critical_path_goes_through_the_slower_of_two() {
        let chain = chain(
            "A 1 -> a 0, B 2 -> fast 10, C 3 -> slow 10, B 2 <- fast 20, C 3 <- slow 80, D 4 -> last 85, D 4 <- last 95, \
             A 1 <- a 100",
        );
        let expected =
            [("a", 0.0, 10.0), ("slow", 10.0, 80.0), ("a", 80.0, 85.0), ("last", 85.0, 95.0), ("a", 95.0, 100.0)];
        assert_eq!(path(&chain), expected.map(|(name, start, end)| (name.to_owned(), start, end)));
    }

    #[test]
    fn the_longest_gap_and_the_totals() {
        let chain = chain("A 1 -> a 0, B 2 -> b 10, B 2 <- b 70, A 1 <- a 100");
        assert_eq!(chain.longest_gap(), Some(Gap { after: 1, before: 2, duration: 60.0 }));
        let totals = chain.source_totals();
        assert_eq!(totals["A"], SourceTotal { entries: 2, calls: 1, self_ms: 40.0 });
        assert_eq!(totals["B"], SourceTotal { entries: 2, calls: 1, self_ms: 60.0 });
        assert_eq!(Chain::new([]).longest_gap(), None);
        assert!(Chain::new([]).critical_path().is_empty());
    }

    #[test]
    fn a_deep_chain_of_hung_calls_costs_no_more_than_its_number() {
        let suffixes: Vec<String> = (0..50_000).map(|n| n.to_string()).collect();
        let base = entries("A s -> a 0")[0];
        let all =
            suffixes.iter().enumerate().map(|(n, suffix)| crate::EntryRef { suffix, timestamp: n as f64, ..base });
        let chain = Chain::new(all);
        assert_eq!(chain.self_times().len(), 50_000);
        assert_eq!(chain.critical_path().len(), 49_999);
    }

    proptest! {
        #[test]
        fn the_path_is_in_order_and_within_its_calls(notes in any_entries()) {
            let chain = Chain::new(entries_of(&notes));
            let (path, extents) = (chain.critical_path(), chain.extents());
            prop_assert!(path.windows(2).all(|pair| pair[0].end <= pair[1].start));
            for segment in &path {
                let (start, end) = extents[segment.call];
                prop_assert!(start <= segment.start && segment.start < segment.end && segment.end <= end);
            }
            for (call, self_time) in chain.self_times().into_iter().enumerate() {
                prop_assert_eq!(self_time.is_some(), chain.duration(call).is_some());
                prop_assert!(self_time.is_none_or(|time| time <= chain.duration(call).unwrap()));
            }
        }
    }
}
