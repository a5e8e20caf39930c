//! Which leave belongs to which enter.

use std::collections::HashMap;

use super::Call;
use crate::entry::EntryRef;

/// What an enter and its leave have in common.
#[derive(PartialEq, Eq, Hash)]
struct Key<'a> {
    source_id: &'a str,
    hostname: &'a str,
    operation: &'a str,
    endpoint: &'a str,
    /// Only where a pair must agree in it.
    suffix: Option<&'a str>,
}

impl<'a> Key<'a> {
    fn new(entry: &EntryRef<'a>, suffix: Option<&'a str>) -> Self {
        let EntryRef { source_id, hostname, operation, endpoint, .. } = *entry;
        Self { source_id, hostname, operation, endpoint, suffix }
    }
}

/// The calls of entries in time order, themselves in the order of their first entry.
pub(super) fn pair(entries: &[EntryRef<'_>]) -> Vec<Call> {
    let mut partner = vec![None; entries.len()];
    // First those that agree in the suffix too: a leave that is not so sure must not take an enter from one that is.
    pair_innermost(entries, &mut partner, |entry| Key::new(entry, Some(entry.suffix)));
    pair_innermost(entries, &mut partner, |entry| Key::new(entry, None));
    let mut calls = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let (enter, leave) = match partner[place] {
            other if entry.is_enter() => (Some(place), other),
            None if entry.is_leave() => (None, Some(place)),
            // A leave that has its enter was taken with it; a mark is no call.
            _ => continue,
        };
        calls.push(Call { enter, leave, parent: None, children: Vec::new(), marks: Vec::new(), depth: 0 });
    }
    calls
}

/// Gives each leave without a partner the latest enter before it that has the same key and no partner either.
fn pair_innermost<'a>(entries: &[EntryRef<'a>], partner: &mut [Option<usize>], key: impl Fn(&EntryRef<'a>) -> Key<'a>) {
    let mut open: HashMap<Key<'a>, Vec<usize>> = HashMap::new();
    for (place, entry) in entries.iter().enumerate() {
        if partner[place].is_some() {
            continue;
        }
        if entry.is_enter() {
            open.entry(key(entry)).or_default().push(place);
        } else if entry.is_leave()
            && let Some(enter) = open.get_mut(&key(entry)).and_then(Vec::pop)
        {
            partner[enter] = Some(place);
            partner[place] = Some(enter);
        }
    }
}
