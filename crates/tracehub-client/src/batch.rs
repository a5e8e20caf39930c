//! Entries on their way to a request: encoded once, cut by count, bytes and age. Decisions only, no clock and no I/O.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

/// How many entries a batch may grow to when more wait than the trigger asks for.
pub(crate) const MAX_GROWN_ENTRIES: usize = 500;
/// How many bytes of JSON a batch may have, unless a single entry has more.
pub(crate) const MAX_BATCH_BYTES: usize = 256 << 10;

const BODY_START: &[u8] = b"{\"traces\":[";
const BODY_END: &[u8] = b"]}";

/// When to cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// So many entries are worth a request.
    pub(crate) trigger: usize,
    /// So long an entry waits for others.
    pub(crate) interval: Duration,
}

impl Limits {
    /// The most entries of one request: what the trigger asks for, and more under load.
    fn max_entries(&self) -> usize {
        self.trigger.max(MAX_GROWN_ENTRIES)
    }

    /// Whether `batch` has as much as one request may carry.
    pub(crate) fn is_full(&self, batch: &Batch) -> bool {
        batch.len() >= self.max_entries() || batch.json.len() >= MAX_BATCH_BYTES
    }

    /// Whether to send `batch`, whose oldest entry waits since `age`. Urgent: someone waits for a flush or a close.
    pub(crate) fn decide(&self, batch: &Batch, age: Duration, urgent: bool) -> Cut {
        if batch.is_empty() {
            Cut::Nothing
        } else if urgent || batch.len() >= self.trigger || self.is_full(batch) {
            Cut::Now
        } else {
            match self.interval.checked_sub(age) {
                None | Some(Duration::ZERO) => Cut::Now,
                Some(rest) => Cut::Wait(rest),
            }
        }
    }
}

/// What to do with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Send it.
    Now,
    /// Wait for more entries, at most this long.
    Wait(Duration),
    /// There is nothing to send.
    Nothing,
}

/// Encoded entries, in the order they were enqueued.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The entries' JSON objects, with a comma after each.
    json: Vec<u8>,
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Where the entry ends in `json`, its comma included.
    end: usize,
    /// What the queue charges for it.
    cost: usize,
}

impl Batch {
    /// Adds an entry that `write` appends as a JSON object; `cost` is what the queue charges for it.
    pub(crate) fn push(&mut self, cost: usize, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.json);
        self.json.push(b',');
        self.slots.push(Slot { end: self.json.len(), cost });
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The entries' JSON objects.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| &self.json[self.start(index)..self.slots[index].end - 1])
    }

    /// Bytes of JSON.
    pub(crate) fn bytes(&self) -> usize {
        self.json.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// What the queue charges for these entries.
    pub(crate) fn cost(&self, part: Range<usize>) -> usize {
        self.slots[part].iter().map(|slot| slot.cost).sum()
    }

    /// A request body of these entries. The same entries always give the same bytes, however they are cut.
    pub(crate) fn body(&self, part: Range<usize>) -> Bytes {
        let entries = match part.len() {
            0 => &[][..],
            _ => &self.json[self.start(part.start)..self.slots[part.end - 1].end - 1],
        };
        [BODY_START, entries, BODY_END].concat().into()
    }

    /// The last entries, so many of them.
    pub(crate) fn into_last(mut self, count: usize) -> Self {
        self.split_off(self.len().saturating_sub(count))
    }

    /// Takes off the entries of the next request: all that fit, at least one. The others stay.
    pub(crate) fn cut(&mut self) -> Self {
        let fitting = self.slots.partition_point(|slot| slot.end <= MAX_BATCH_BYTES);
        let count = fitting.max(1).min(self.len());
        let rest = self.split_off(count);
        std::mem::replace(self, rest)
    }

    /// Takes off all entries but the first `count`.
    fn split_off(&mut self, count: usize) -> Self {
        let start = self.start(count);
        let mut rest = Self { json: self.json.split_off(start), slots: self.slots.split_off(count) };
        for slot in &mut rest.slots {
            slot.end -= start;
        }
        rest
    }

    /// Where the entry starts in `json`.
    fn start(&self, index: usize) -> usize {
        match index {
            0 => 0,
            _ => self.slots[index - 1].end,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tracehub_core::TraceEntry;
    use tracehub_core::wire::ingest::IngestBatch;
    use tracehub_core::wire::read::write_entry;

    use super::*;

    const LIMITS: Limits = Limits { trigger: 10, interval: Duration::from_secs(1) };

    fn entry(number: usize, raw_bytes: usize) -> TraceEntry {
        TraceEntry::builder("MA", "c1").suffix(number.to_string()).raw_line("x".repeat(raw_bytes)).build().unwrap()
    }

    fn batch(sizes: &[usize]) -> Batch {
        let mut batch = Batch::default();
        for (number, size) in sizes.iter().enumerate() {
            batch.push(*size, |json| write_entry(json, &entry(number, *size).as_ref()));
        }
        batch
    }

    fn suffixes(body: &Bytes) -> Vec<usize> {
        let parsed = IngestBatch::parse(body.to_vec()).expect("a body is a valid batch");
        parsed.entries().map(|entry| entry.suffix.parse().unwrap()).collect()
    }

    /// The entries of a body, without what is around them.
    fn inner(body: &Bytes) -> &[u8] {
        &body[BODY_START.len()..body.len() - BODY_END.len()]
    }

    #[test]
    fn a_batch_waits_for_its_trigger_its_age_or_someone_in_a_hurry() {
        let young = Duration::from_millis(300);
        let few = batch(&[0; 9]);
        assert_eq!(LIMITS.decide(&Batch::default(), young, true), Cut::Nothing);
        assert_eq!(LIMITS.decide(&few, young, false), Cut::Wait(Duration::from_millis(700)));
        assert_eq!(LIMITS.decide(&few, young, true), Cut::Now);
        assert_eq!(LIMITS.decide(&few, Duration::from_secs(1), false), Cut::Now);
        assert_eq!(LIMITS.decide(&few, Duration::MAX, false), Cut::Now);
        assert_eq!(LIMITS.decide(&batch(&[0; 10]), young, false), Cut::Now);
        assert_eq!(LIMITS.decide(&batch(&[MAX_BATCH_BYTES]), young, false), Cut::Now);
    }

    #[test]
    fn a_batch_grows_under_load_up_to_its_bounds() {
        assert!(!LIMITS.is_full(&batch(&[0; 499])));
        assert!(LIMITS.is_full(&batch(&[0; 500])));
        assert!(LIMITS.is_full(&batch(&[MAX_BATCH_BYTES])));
        let large = Limits { trigger: 900, ..LIMITS };
        assert!(!large.is_full(&batch(&[0; 899])));
    }

    #[test]
    fn an_entry_that_does_not_fit_stays_for_the_next_request() {
        let mut waiting = batch(&[100_000, 100_000, 100_000]);
        let first = waiting.cut();
        assert_eq!((suffixes(&first.body(0..2)), first.len()), (vec![0, 1], 2));
        assert_eq!((suffixes(&waiting.body(0..1)), waiting.len()), (vec![2], 1));
        assert_eq!(waiting.cost(0..1), 100_000);
        let mut oversized = batch(&[MAX_BATCH_BYTES, 1]);
        assert_eq!(suffixes(&oversized.cut().body(0..1)), [0]);
        assert_eq!(suffixes(&oversized.body(0..1)), [1]);
        let last = batch(&[7, 8, 9]).into_last(2);
        assert_eq!((suffixes(&last.body(0..2)), last.cost(0..2)), (vec![1, 2], 17));
    }

    proptest! {
        // Each case parses megabytes.
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn cutting_loses_nothing_and_keeps_order_and_bytes(
            sizes in prop::collection::vec(0_usize..60_000, 1..30),
            middle in any::<prop::sample::Index>(),
        ) {
            let whole = batch(&sizes).body(0..sizes.len());
            let mut waiting = batch(&sizes);
            let (mut seen, mut pieces) = (Vec::new(), Vec::new());
            while !waiting.is_empty() {
                let request = waiting.cut();
                prop_assert!(request.json.len() <= MAX_BATCH_BYTES || request.len() == 1);
                let body = request.body(0..request.len());
                pieces.push(inner(&body).to_vec());
                // A part, as a split sends it, has the same entries in the same order.
                let middle = middle.index(request.len());
                let mut parts = suffixes(&request.body(0..middle));
                parts.extend(suffixes(&request.body(middle..request.len())));
                prop_assert_eq!(&parts, &suffixes(&body));
                seen.extend(parts);
            }
            prop_assert_eq!(seen, (0..sizes.len()).collect::<Vec<_>>());
            prop_assert!(pieces.join(&b',') == inner(&whole), "the same bytes, however cut");
        }
    }
}
