//! What the writer does between two groups, a little at a time: delete what is too old or too much, give room back, and
//! see that the disk does not fill up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracehub_core::store::{StoreError, StoreSize, StoreWriter};

use crate::condition::Trouble;
use crate::config::Config;
use crate::error::ApiError;
use crate::ingest::Reply;
use crate::metrics::commits::Commits;

/// Entries deleted between two small groups: ingest's slowest answers stay where they were. Between large groups as many
/// go as have come, or deletion would fall behind.
const MIN_DELETED_PER_STEP: u32 = 500;
/// Bytes given back between two groups: a few ms.
const GIVEN_BACK_PER_STEP: u64 = 512 << 10;
/// Room within the file that is worth giving back: at least this many bytes, and this share of the file.
const MIN_WORTH_GIVING: u64 = 32 << 20;
const WORTH_GIVING_SHARE: u64 = 4;
/// The share of what the database may hold that is made free beyond what must be.
const SLACK_SHARE: u64 = 128;
/// How often the disk is looked at while it has room. At full speed far less than the floor is written meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often the store may settle, and the share of the writer's time that this may take.
const SETTLE_EVERY: Duration = Duration::from_secs(1);
const SETTLING_SHARE: u32 = 20;

/// The writer's other work.
pub(crate) struct Upkeep {
    retention: Duration,
    max_db_bytes: Option<u64>,
    min_free_bytes: u64,
    commits: Arc<Commits>,
    cleanup: Option<Cleanup>,
    /// Whether entries go because there is too much of them.
    evicting: bool,
    evicted: u64,
    giving_back: bool,
    obstacle: Option<Trouble>,
    next_look: Instant,
    next_settling: Instant,
}

/// A clean-up under way.
#[derive(Default)]
struct Cleanup {
    deleted: u64,
    replies: Vec<Reply<u64>>,
}

impl Upkeep {
    pub(crate) fn new(config: &Config, commits: Arc<Commits>) -> Self {
        Self {
            retention: config.retention,
            max_db_bytes: config.max_db_bytes,
            min_free_bytes: config.min_free_bytes,
            commits,
            cleanup: None,
            evicting: false,
            evicted: 0,
            giving_back: false,
            obstacle: None,
            next_look: Instant::now(),
            next_settling: Instant::now(),
        }
    }

    /// Whether there is something to do although nobody waits.
    pub(crate) fn is_under_way(&self) -> bool {
        self.cleanup.is_some() || self.evicting || self.giving_back
    }

    /// Begins to delete what is older than the retention, if that is not under way, and tells `reply` when it is done.
    pub(crate) fn clean_up(&mut self, reply: Option<Reply<u64>>) {
        self.cleanup.get_or_insert_default().replies.extend(reply);
    }

    /// What keeps entries out although the store was not tried. Says so on the log when that changes.
    pub(crate) fn obstacle(&mut self, store: &dyn StoreWriter) -> Option<Trouble> {
        if self.obstacle.is_none() && Instant::now() < self.next_look {
            return None;
        }
        self.next_look = Instant::now() + LOOK_EVERY;
        let floor = self.min_free_bytes;
        let outcome = store.size();
        if let Ok(size) = &outcome {
            self.commits.keep(*size);
        }
        let obstacle = match &outcome {
            Ok(size) if size.free_disk_bytes.is_some_and(|free| free < floor) => Some(Trouble::StorageFull),
            Err(StoreError::Gone(_)) => Some(Trouble::StorageFailing),
            Ok(_) => None,
            Err(_) => {
                log_failure(&outcome);
                None
            }
        };
        if obstacle != self.obstacle {
            match &outcome {
                Err(err @ StoreError::Gone(_)) => {
                    tracing::error!(error = %err, "entries are refused until it is back, or the server is started again");
                }
                Ok(size) if obstacle.is_some() => {
                    let free = size.free_disk_bytes;
                    tracing::error!(free, floor, "the disk is too full: entries are refused until there is room again");
                }
                _ => tracing::info!("the database's file and room for it are there again: entries are taken"),
            }
        }
        self.obstacle = obstacle;
        // What deleted entries left inside the file is worth more outside of it now.
        self.giving_back |= self.is_low_on_disk() && outcome.is_ok_and(|size| size.reusable_bytes > 0);
        obstacle
    }

    fn is_low_on_disk(&self) -> bool {
        self.obstacle == Some(Trouble::StorageFull)
    }

    /// Goes on for a few ms. `rows` is how many entries the last group had, `now` the Unix time in seconds.
    ///
    /// # Errors
    /// The store failed. It is tried again with the next step, unless the caller knows better.
    pub(crate) fn step(&mut self, store: &mut dyn StoreWriter, rows: usize, now: i64) -> Result<(), StoreError> {
        let limit = u32::try_from(rows).unwrap_or(u32::MAX).max(MIN_DELETED_PER_STEP);
        self.delete_expired(store, limit, now)?;
        self.evict(store, limit)?;
        self.give_back(store)
    }

    /// Lets the store settle now and then; a reader that stays for long may cost the writer little of its time.
    ///
    /// # Errors
    /// The store failed; it is tried again.
    pub(crate) fn settle(&mut self, store: &mut dyn StoreWriter) -> Result<(), StoreError> {
        let began = Instant::now();
        if began < self.next_settling {
            return Ok(());
        }
        let outcome = store.settle();
        self.next_settling = Instant::now() + SETTLE_EVERY.max(began.elapsed() * SETTLING_SHARE);
        log_failure(&outcome);
        outcome
    }

    /// Ends a clean-up that cannot go on; the next one finds what is left.
    pub(crate) fn give_up(&mut self, refusal: impl Fn() -> ApiError) {
        for reply in self.cleanup.take().into_iter().flat_map(|cleanup| cleanup.replies) {
            let _ = reply.send(Err(refusal()));
        }
    }

    fn delete_expired(&mut self, store: &mut dyn StoreWriter, limit: u32, now: i64) -> Result<(), StoreError> {
        let Some(cleanup) = &mut self.cleanup else { return Ok(()) };
        let retention = i64::try_from(self.retention.as_secs()).unwrap_or(i64::MAX);
        let cutoff = now.saturating_sub(retention);
        let outcome = match store.delete_arrived_before(cutoff, limit) {
            Ok(step) => {
                cleanup.deleted += step.entries;
                self.commits.expired.add(step.entries);
                if step.more {
                    return Ok(());
                }
                Ok(cleanup.deleted)
            }
            Err(err) => Err(err),
        };
        let replies = std::mem::take(&mut cleanup.replies);
        self.cleanup = None;
        self.commits.cleanups.add(1);
        if let Ok(deleted @ 1..) = outcome {
            tracing::info!(deleted, "deleted entries older than the retention");
        }
        if outcome.is_err() && replies.is_empty() {
            log_failure(&outcome);
        }
        for reply in replies {
            let _ = reply.send(outcome.as_ref().copied().map_err(ApiError::from));
        }
        self.consider_giving_back(store);
        outcome.map(drop)
    }

    /// Deletes the oldest entries while the file holds more than it may.
    fn evict(&mut self, store: &mut dyn StoreWriter, limit: u32) -> Result<(), StoreError> {
        let Some(max_db_bytes) = self.max_db_bytes else { return Ok(()) };
        let Some(size) = size_of(store) else { return Ok(()) };
        if size.used_bytes() > max_db_bytes {
            let outcome = store.delete_oldest(limit.min(too_many(size, max_db_bytes)));
            log_failure(&outcome);
            let deleted = outcome.as_ref().map_or(0, |step| step.entries);
            self.evicted += deleted;
            self.commits.evicted.add(deleted);
            // A failure is not tried again at once, but with the next group.
            self.evicting = deleted > 0;
            return outcome.map(drop);
        }
        if self.evicting {
            tracing::info!(evicted = self.evicted, max_db_bytes, "deleted the oldest entries to make room");
            (self.evicting, self.evicted) = (false, 0);
            self.consider_giving_back(store);
        }
        Ok(())
    }

    /// Whether what was deleted has left so much room that the disk should have it.
    fn consider_giving_back(&mut self, store: &dyn StoreWriter) {
        if let Some(size) = size_of(store) {
            self.giving_back = size.reusable_bytes > MIN_WORTH_GIVING.max(size.total_bytes / WORTH_GIVING_SHARE)
                || self.is_outgrown(size);
        }
    }

    /// Whether the file is larger than it may be, with nothing in it that would have to go.
    fn is_outgrown(&self, size: StoreSize) -> bool {
        size.reusable_bytes > 0 && self.max_db_bytes.is_some_and(|most| size.total_bytes > most + GIVEN_BACK_PER_STEP)
    }

    fn give_back(&mut self, store: &mut dyn StoreWriter) -> Result<(), StoreError> {
        if !self.giving_back || self.cleanup.is_some() || self.evicting {
            return Ok(());
        }
        let outcome = store.give_back(GIVEN_BACK_PER_STEP);
        log_failure(&outcome);
        self.commits.given_back_bytes.add(*outcome.as_ref().unwrap_or(&0));
        let more = outcome.as_ref().is_ok_and(|given| *given > 0)
            && size_of(store).is_some_and(|size| {
                // A little is kept: what comes next takes it without growing the file.
                size.reusable_bytes > MIN_WORTH_GIVING / 2 || self.is_low_on_disk() || self.is_outgrown(size)
            });
        self.giving_back = more;
        outcome.map(drop)
    }
}

/// How many entries of the usual size must go, and a few more, so that not every group has to delete again.
fn too_many(size: StoreSize, max_db_bytes: u64) -> u32 {
    let usual_bytes = (size.used_bytes() / size.entries.max(1)).max(1);
    let bytes = size.used_bytes().saturating_sub(max_db_bytes) + max_db_bytes / SLACK_SHARE;
    u32::try_from(bytes / usual_bytes).unwrap_or(u32::MAX).max(1)
}

fn size_of(store: &dyn StoreWriter) -> Option<StoreSize> {
    let outcome = store.size();
    log_failure(&outcome);
    outcome.ok()
}

fn log_failure<T>(outcome: &Result<T, StoreError>) {
    if let Err(err) = outcome {
        let cause = std::error::Error::source(err).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(error = %err, cause, "upkeep failed; it is tried again");
    }
}
