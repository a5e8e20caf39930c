//! Which call encloses which: one walk over the entries with the calls that are open.

use std::collections::HashMap;

use super::{Call, Chain};
use crate::entry::EntryRef;

/// A call that goes on, as far as anyone knows.
const NEVER: usize = usize::MAX;

/// Finds each call's parent and each mark's call.
///
/// A call is enclosed by the open call that started last among those that do not end before it; of two leaves at one
/// time neither is before the other, because across services their arrival says nothing. To find it, one goes from the
/// last one that started outwards over parents: what encloses a call in time encloses everything on that way that ends
/// before it. No step is taken twice over the same two calls, so the whole is linear.
pub(super) fn nest(entries: Vec<EntryRef<'_>>, mut calls: Vec<Call>) -> Chain<'_> {
    let mut call_of: Vec<Option<usize>> = vec![None; entries.len()];
    for (place, call) in calls.iter().enumerate() {
        if let Some(first) = call.enter.or(call.leave) {
            call_of[first] = Some(place);
        }
    }
    let mut ends = vec![NEVER; calls.len()];
    let mut open = Open::default();
    let mut roots = Vec::new();
    let mut loose_marks = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let Some(call) = call_of[place] else {
            if !entry.is_enter() && !entry.is_leave() {
                match open.innermost_of(entry.source_id, place, &ends).or_else(|| open.innermost(place, &ends)) {
                    Some(around) => calls[around].marks.push(place),
                    None => loose_marks.push(place),
                }
            }
            continue;
        };
        let mut parent = open.innermost(place, &ends);
        if let Some(leave) = calls[call].leave {
            while let Some(candidate) = parent
                && ends[candidate] < leave
                && entries[ends[candidate]].timestamp < entries[leave].timestamp
            {
                parent = calls[candidate].parent;
            }
            ends[call] = leave;
        } else if let Some(around) = parent {
            // Nobody knows when it ended, but not after the call that waited for it.
            ends[call] = ends[around];
        }
        calls[call].parent = parent;
        if let Some(around) = parent {
            calls[call].depth = calls[around].depth + 1;
            calls[around].children.push(call);
        } else {
            roots.push(call);
        }
        if calls[call].enter.is_some() {
            open.push(entry.source_id, call);
        }
    }
    Chain { entries, calls, roots, loose_marks }
}

/// Calls in the order they were entered; those that have ended are dropped when they are met on top.
#[derive(Default)]
struct Open<'a> {
    all: Vec<usize>,
    by_source: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Open<'a> {
    fn push(&mut self, source_id: &'a str, call: usize) {
        self.all.push(call);
        self.by_source.entry(source_id).or_default().push(call);
    }

    /// The call that was entered last and is open at the entry `place`.
    fn innermost(&mut self, place: usize, ends: &[usize]) -> Option<usize> {
        drop_ended(&mut self.all, place, ends)
    }

    fn innermost_of(&mut self, source_id: &str, place: usize, ends: &[usize]) -> Option<usize> {
        drop_ended(self.by_source.get_mut(source_id)?, place, ends)
    }
}

fn drop_ended(stack: &mut Vec<usize>, place: usize, ends: &[usize]) -> Option<usize> {
    while let Some(&call) = stack.last() {
        if ends[call] > place {
            return Some(call);
        }
        stack.pop();
    }
    None
}
