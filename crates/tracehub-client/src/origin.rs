//! Where a client's entries come from: the names of its sources, and what makes its suffixes unlike all others.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::correlation;
use crate::item::PAIR;

/// The most sources of one client whose names are kept apart from their checkpoints. Programs have a few.
const MAX_SOURCES: usize = 4_096;
/// How many digits of a suffix belong to the client.
const PREFIX_DIGITS: u32 = 6;

/// A source, as a place among the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SourceId(u32);

impl SourceId {
    /// Of a client that sends nothing.
    pub(crate) const NONE: Self = Self(u32::MAX);
}

/// A client's sources, and the beginning of its suffixes.
#[derive(Debug)]
pub(crate) struct Origin {
    sources: RwLock<Sources>,
    prefix: String,
}

#[derive(Debug, Default)]
struct Sources {
    names: Vec<Arc<str>>,
    by_name: HashMap<Arc<str>, SourceId>,
}

impl Default for Origin {
    fn default() -> Self {
        let mut prefix = String::new();
        push_base36(&mut prefix, correlation::random_bits() % 36_u64.pow(PREFIX_DIGITS), PREFIX_DIGITS);
        Self { sources: RwLock::default(), prefix }
    }
}

impl Origin {
    /// The source of this name. Beyond the bound all others are one, named `…`: a program that makes up sources without
    /// end must not grow without end.
    pub(crate) fn register(&self, name: &str) -> SourceId {
        let mut sources = self.sources.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = sources.by_name.get(name) {
            return *id;
        }
        let name: Arc<str> = if sources.names.len() < MAX_SOURCES { name.into() } else { "…".into() };
        if let Some(id) = sources.by_name.get(&name) {
            return *id;
        }
        // Below the bound, which fits.
        let id = SourceId(u32::try_from(sources.names.len()).unwrap_or(0));
        sources.names.push(Arc::clone(&name));
        sources.by_name.insert(name, id);
        id
    }

    pub(crate) fn source(&self, id: SourceId) -> Arc<str> {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        sources.names.get(id.0 as usize).cloned().unwrap_or_default()
    }

    /// A suffix that no other checkpoint has: digits of the client, then its count. A count alone would collide between
    /// two services of one name. A pair's number has a capital letter before it, which no digit is.
    pub(crate) fn suffix(&self, number: u64) -> String {
        let mut suffix = String::with_capacity(16);
        suffix.push_str(&self.prefix);
        if number & PAIR != 0 {
            suffix.push('S');
        }
        push_base36(&mut suffix, number & !PAIR, 1);
        suffix
    }

    /// The beginning of the suffixes: names this client among others.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// Appends `number` in base 36, with at least so many digits.
fn push_base36(text: &mut String, number: u64, least_digits: u32) {
    let digits = number.checked_ilog(36).map_or(1, |log| log + 1).max(least_digits);
    for place in (0..digits).rev() {
        let digit = number / 36_u64.pow(place) % 36;
        // Below 36, so that both conversions hold.
        text.push(char::from_digit(digit as u32, 36).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_known_by_its_name_and_all_are_bounded() {
        let origin = Origin::default();
        let first = origin.register("MA");
        assert_eq!((origin.register("MA"), &*origin.source(first)), (first, "MA"));
        for number in 0..2 * MAX_SOURCES {
            origin.register(&number.to_string());
        }
        let last = origin.register("one more");
        assert_eq!((&*origin.source(last), last), ("…", origin.register("another")));
        assert!(origin.sources.read().unwrap().names.len() <= MAX_SOURCES + 1);
    }

    #[test]
    fn suffixes_share_the_clients_prefix() {
        let (one, other) = (Origin::default(), Origin::default());
        assert_ne!(one.suffix(0), other.suffix(0));
        assert_eq!(one.suffix(36), format!("{}10", one.prefix()));
        assert_eq!(one.suffix(PAIR + 36), format!("{}S10", one.prefix()));
    }

    #[test]
    fn base_36_counts_like_numbers_do() {
        for (number, least_digits, expected) in
            [(0, 1, "0"), (35, 1, "z"), (36, 1, "10"), (7, 6, "000007"), (u64::MAX, 1, "3w5e11264sgsf")]
        {
            let mut text = String::new();
            push_base36(&mut text, number, least_digits);
            assert_eq!(text, expected);
        }
    }
}
