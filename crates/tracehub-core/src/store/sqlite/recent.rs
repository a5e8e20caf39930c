//! What was committed lately and is not in the chains' own tables yet, shared by the writer and the readers.
//!
//! Every entry touches its chain's summary and its chain's list of entries. Thousands of chains are alive at a time, so
//! writing both with every entry would rewrite a page of the database for each. They are kept here instead and written
//! when a chain has gathered some: the entries alone are enough to make them again after a crash.
//!
//! A reader looks here first and into the database after that. What is moved between the two looks is then seen twice,
//! which ids tell, and never missed.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::summary::ChainSummary;

/// A chain with entries that its list in the database lacks.
#[derive(Debug, Clone)]
pub(super) struct RecentChain {
    /// The whole chain's, those in the database counted too.
    pub(super) summary: ChainSummary,
    /// The entries that the list in the database lacks, in order.
    pub(super) ids: Vec<i64>,
    /// Which place in the order is this chain's: one that left out of turn and came back has an older one too.
    turn: u64,
}

/// Some chains, in no order.
#[derive(Debug, Default)]
pub(super) struct Newest {
    pub(super) chains: Vec<(Arc<str>, ChainSummary)>,
    /// The last entry of the oldest of them, if older ones were left out.
    pub(super) cut_at: Option<i64>,
}

fn newest_of(mut chains: Vec<(&Arc<str>, &RecentChain)>, limit: usize) -> Newest {
    let mut cut_at = None;
    if limit == 0 {
        chains.clear();
    } else if chains.len() > limit {
        let by_activity = |(_, chain): &(&Arc<str>, &RecentChain)| Reverse(chain.summary.last_entry_id);
        let (_, (_, oldest), _) = chains.select_nth_unstable_by_key(limit - 1, by_activity);
        cut_at = Some(oldest.summary.last_entry_id);
        chains.truncate(limit);
    }
    let chains = chains.into_iter().map(|(id, chain)| (Arc::clone(id), chain.summary.clone())).collect();
    Newest { chains, cut_at }
}

#[derive(Debug, Default)]
struct State {
    chains: HashMap<Arc<str>, RecentChain>,
    /// The chains in the order in which they came here.
    order: VecDeque<(u64, Arc<str>)>,
    next_turn: u64,
    /// All ids together.
    ids: usize,
}

/// The shared handle.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent(Arc<Mutex<State>>);

impl Recent {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change leaves the state whole, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After a commit: `moved` chains are in the database now, `changed` ones have new entries.
    pub(super) fn commit(
        &self,
        moved: &HashSet<Arc<str>>,
        changed: impl Iterator<Item = (Arc<str>, ChainSummary, Vec<i64>)>,
    ) {
        let mut state = self.lock();
        let state = &mut *state;
        for correlation_id in moved {
            if let Some(chain) = state.chains.remove(correlation_id) {
                state.ids -= chain.ids.len();
            }
        }
        if !moved.is_empty() {
            // Mostly from the front, where those come from that are moved because they are old.
            while let Some((turn, first)) = state.order.front()
                && state.chains.get(first).is_none_or(|chain| chain.turn != *turn)
            {
                state.order.pop_front();
            }
        }
        for (correlation_id, summary, mut ids) in changed {
            state.ids += ids.len();
            if let Some(chain) = state.chains.get_mut(&correlation_id) {
                chain.summary = summary;
                chain.ids.append(&mut ids);
            } else {
                let turn = state.next_turn;
                state.next_turn += 1;
                state.order.push_back((turn, Arc::clone(&correlation_id)));
                state.chains.insert(correlation_id, RecentChain { summary, ids, turn });
            }
        }
    }

    /// The chains that came first, as many as must go so that no more than these are left.
    pub(super) fn oldest_beyond(&self, max_chains: usize, max_ids: usize) -> Vec<(Arc<str>, RecentChain)> {
        let state = self.lock();
        let (mut chains, mut ids) = (state.chains.len(), state.ids);
        let mut oldest = Vec::new();
        for (turn, correlation_id) in &state.order {
            if chains <= max_chains && ids <= max_ids {
                break;
            }
            if let Some(chain) = state.chains.get(correlation_id)
                && chain.turn == *turn
            {
                chains -= 1;
                ids -= chain.ids.len();
                oldest.push((Arc::clone(correlation_id), chain.clone()));
            }
        }
        oldest
    }

    /// One chain, if it is here.
    pub(super) fn get(&self, correlation_id: &str) -> Option<RecentChain> {
        self.lock().chains.get(correlation_id).cloned()
    }

    /// Its summary alone.
    pub(super) fn summary(&self, correlation_id: &str) -> Option<ChainSummary> {
        self.lock().chains.get(correlation_id).map(|chain| chain.summary.clone())
    }

    /// The chains with the newest entries, at most `limit`, in no order.
    pub(super) fn newest(&self, limit: usize) -> Vec<(Arc<str>, ChainSummary)> {
        newest_of(self.lock().chains.iter().collect(), limit).chains
    }

    /// The newest chains that match, at most `limit`, and the keys of all chains, so that their rows can be passed over.
    pub(super) fn matching(
        &self,
        limit: usize,
        matches: impl Fn(&str, &ChainSummary) -> bool,
    ) -> (Newest, HashSet<i64>) {
        let state = self.lock();
        let matching = state.chains.iter().filter(|(id, chain)| matches(id, &chain.summary)).collect();
        (newest_of(matching, limit), state.chains.values().map(|chain| chain.summary.id).collect())
    }

    /// The oldest id that is here and not in its chain's list.
    pub(super) fn first_id(&self) -> Option<i64> {
        self.lock().chains.values().filter_map(|chain| chain.ids.first().copied()).min()
    }
}
