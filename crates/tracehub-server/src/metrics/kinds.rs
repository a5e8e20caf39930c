//! Counters and histograms that any thread may add to at any time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tracehub_core::wire::error::ErrorCode;

/// More codes than there are. One beyond it would be counted as the last.
const MAX_CODES: usize = 64;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that was true a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often a value was at most each of some bounds, and the sum of all values.
#[derive(Debug)]
pub(crate) struct Histogram<const N: usize> {
    /// Ascending.
    bounds: &'static [u64; N],
    within: [Counter; N],
    beyond: Counter,
    sum: Counter,
}

impl<const N: usize> Histogram<N> {
    pub(crate) const fn new(bounds: &'static [u64; N]) -> Self {
        Self { bounds, within: [const { Counter::new() }; N], beyond: Counter::new(), sum: Counter::new() }
    }

    pub(crate) fn observe(&self, value: u64) {
        // Few bounds, and most values are small: looking from the front is quicker than to halve.
        let place = self.bounds.iter().position(|bound| value <= *bound);
        place.map_or(&self.beyond, |place| &self.within[place]).add(1);
        self.sum.add(value);
    }

    /// Each bound with how many values were at most that.
    pub(crate) fn cumulated(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.bounds.iter().zip(&self.within);
        counts.scan(0, |total, (bound, count)| {
            *total += count.get();
            Some((*bound, *total))
        })
    }

    pub(crate) fn beyond(&self) -> u64 {
        self.beyond.get()
    }

    pub(crate) fn sum(&self) -> u64 {
        self.sum.get()
    }
}

/// How often something ended with each code. A code has a place once it has occurred, so there is no list to forget one in.
#[derive(Debug)]
pub(crate) struct ByCode([(OnceLock<ErrorCode>, Counter); MAX_CODES]);

impl Default for ByCode {
    fn default() -> Self {
        Self([const { (OnceLock::new(), Counter::new()) }; MAX_CODES])
    }
}

impl ByCode {
    pub(crate) fn add(&self, code: ErrorCode) {
        let (occurred, count) = &self.0[(code as usize).min(MAX_CODES - 1)];
        occurred.get_or_init(|| code);
        count.add(1);
    }

    pub(crate) fn counts(&self) -> impl Iterator<Item = (ErrorCode, u64)> {
        self.0.iter().filter_map(|(code, count)| Some((*code.get()?, count.get())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_each_value_once_and_at_its_bound() {
        let histogram = Histogram::new(&[1, 10, 100]);
        for value in [0, 1, 2, 10, 11, 100, 101, 5_000] {
            histogram.observe(value);
        }
        assert_eq!(histogram.cumulated().collect::<Vec<_>>(), [(1, 2), (10, 4), (100, 6)]);
        assert_eq!((histogram.beyond(), histogram.sum()), (2, 5_225));
    }

    #[test]
    fn codes_are_counted_apart_and_every_code_has_a_place_of_its_own() {
        let refused = ByCode::default();
        refused.add(ErrorCode::BadRequest);
        refused.add(ErrorCode::Internal);
        refused.add(ErrorCode::Internal);
        let counts: Vec<_> = refused.counts().collect();
        assert_eq!(counts, [(ErrorCode::BadRequest, 1), (ErrorCode::Internal, 2)]);
        assert!((ErrorCode::Internal as usize) < MAX_CODES - 1, "the last code has a place of its own");
    }
}
