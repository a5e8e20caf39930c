//! What was acknowledged: each batch has a chain of its own that can be asked for, and the oldest go first when there is
//! too much, so what is missing can be told from what was deleted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Deserialize;

use super::super::connection::{Connection, get_request, stats};
use crate::process::Interrupt;

/// How old a batch is when it is read back for the first time: deletion is far behind, restarts are not.
const FRESH: Duration = Duration::from_secs(2);

/// One batch that was answered with 200.
#[derive(Debug, Clone)]
pub(super) struct Acknowledged {
    /// A chain of which this batch holds every entry.
    pub(super) chain: String,
    /// How many entries of it there are.
    pub(super) entries: u64,
    /// When it was sent for the first time.
    pub(super) sent: Instant,
    /// When it was answered.
    pub(super) answered: Instant,
}

/// All batches of a soak.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    unread: Mutex<VecDeque<Acknowledged>>,
    read: Mutex<Vec<Acknowledged>>,
    names: AtomicU64,
    entries: AtomicU64,
}

#[derive(Deserialize)]
struct Chain {
    count: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    /// Notes a batch, its entries and how many names in it were new.
    pub(super) fn note(&self, batch: Acknowledged, entries: u64, names: u64) {
        self.names.fetch_add(names, Ordering::Relaxed);
        self.entries.fetch_add(entries, Ordering::Relaxed);
        lock(&self.unread).push_back(batch);
    }

    /// The next batch to read back, if it is old enough; at the end, whatever its age.
    pub(super) fn next_unread(&self, at_once: bool) -> Option<Acknowledged> {
        let mut unread = lock(&self.unread);
        let is_due = unread.front().is_some_and(|batch| at_once || batch.answered.elapsed() >= FRESH);
        is_due.then(|| unread.pop_front()).flatten()
    }

    /// Notes a batch for the last look.
    pub(super) fn keep(&self, batch: Acknowledged) {
        lock(&self.read).push(batch);
    }

    pub(super) fn names(&self) -> u64 {
        self.names.load(Ordering::Relaxed)
    }

    /// How many entries are gone: those acknowledged less those stored.
    pub(super) fn deleted(&self, address: &str) -> Result<u64> {
        Ok(self.entries.load(Ordering::Relaxed).saturating_sub(stats(address)?.stored.entries))
    }

    /// Looks at every batch once more, newest first. How many are missing that should be there: what was sent after
    /// something was answered that is still there is younger than it, so it cannot have been deleted.
    pub(super) fn check_survivors(&self, address: &str, interrupt: &Interrupt) -> Result<u64> {
        let mut batches = lock(&self.read).clone();
        batches.sort_by_key(|batch| batch.answered);
        let mut connection = Connection::open(address)?;
        let mut missing = Vec::new();
        let mut oldest_left: Option<Instant> = None;
        // Batches of several writers are committed in an order of their own within a moment; beyond that, deletion has
        // an edge, and far behind it nothing is left.
        let mut in_a_row = 0;
        for batch in batches.iter().rev() {
            interrupt.check()?;
            if entries_of(&mut connection, &batch.chain)? == batch.entries {
                oldest_left = Some(oldest_left.map_or(batch.answered, |oldest| oldest.min(batch.answered)));
                in_a_row = 0;
            } else {
                missing.push(batch);
                in_a_row += 1;
            }
            if in_a_row > 1_000 {
                break;
            }
        }
        let Some(oldest_left) = oldest_left else { return Ok(missing.len() as u64) };
        Ok(missing.iter().filter(|batch| batch.sent > oldest_left).count() as u64)
    }
}

/// How many entries the server has of a chain.
pub(super) fn entries_of(connection: &mut Connection, chain: &str) -> Result<u64> {
    let mut body = Vec::new();
    connection.ask_into(&get_request(&format!("/traces/{chain}")), &mut body)?;
    Ok(serde_json::from_slice::<Chain>(&body)?.count)
}
