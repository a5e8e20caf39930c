//! What follows when the store fails: who is refused, when the disk is tried again, and when the server must end.
//!
//! A full disk or a database that another program holds refuses by itself, so the next entries are tried. Where the disk
//! refuses, or the file system is read-only, nothing is written until a [`probe`](StoreWriter::probe) has gone well. A sync
//! that failed is the worst: what the system still shows may not be on the disk, and it forgets that after it has said so
//! once. So nothing is simply synced again: if the probe fails too, the process ends, and the next start reads from the
//! disk what is really there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracehub_core::store::{StoreError, StoreWriter};

use crate::condition::{Condition, Trouble};
use crate::error::ApiError;

/// How often a store in trouble is looked at: whoever waits for the server to be ready sends nothing.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The writer's memory of what went wrong.
#[derive(Debug)]
pub(crate) struct Recovery {
    condition: Arc<Condition>,
    /// Whether a sync has failed, and nothing has gone well since.
    unsynced: bool,
    next_look: Instant,
}

impl Recovery {
    pub(crate) fn new(condition: Arc<Condition>) -> Self {
        Self { condition, unsynced: false, next_look: Instant::now() }
    }

    /// Something was stored.
    pub(crate) fn is_well(&mut self) {
        self.condition.is_well();
        self.unsynced = false;
    }

    /// The store failed, or would.
    pub(crate) fn is_in(&mut self, trouble: Trouble) {
        self.condition.is_in(trouble);
        self.next_look = Instant::now() + LOOK_AGAIN;
    }

    /// The store failed with this.
    pub(crate) fn failed(&mut self, err: &StoreError) {
        self.unsynced |= matches!(err, StoreError::Unsynced(_));
        self.is_in(match err {
            StoreError::Full(_) => Trouble::StorageFull,
            StoreError::Busy(_) => Trouble::StorageBusy,
            StoreError::ReadOnly(_) => Trouble::ReadOnlyStorage,
            _ => Trouble::StorageFailing,
        });
    }

    /// Whether something is wrong.
    pub(crate) fn is_in_trouble(&self) -> bool {
        self.condition.trouble().is_some()
    }

    /// What entries are refused with although nobody has tried them; nothing if they may be tried.
    pub(crate) fn refusal(&self) -> Option<fn() -> ApiError> {
        match self.condition.trouble()? {
            Trouble::ReadOnlyStorage => Some(|| ApiError::StorageReadonly),
            Trouble::StorageFailing => Some(|| ApiError::Storage),
            // Without a word from the disk since a sync failed, room alone proves nothing.
            _ if self.unsynced => Some(|| ApiError::Storage),
            Trouble::StorageFull | Trouble::StorageBusy => None,
        }
    }

    /// Tries the store if it is time to.
    ///
    /// # Errors
    /// The server must end: after a sync that failed, the disk has refused again.
    pub(crate) fn look(&mut self, store: &mut dyn StoreWriter) -> Result<(), StoreError> {
        if !self.is_in_trouble() || Instant::now() < self.next_look {
            return Ok(());
        }
        let was_unsynced = self.unsynced;
        if self.condition.trouble() == Some(Trouble::StorageBusy) && !was_unsynced {
            // The next entries find out: a probe would wait as long as they do, and they behind it.
            self.is_well();
            return Ok(());
        }
        match store.probe() {
            Ok(()) => {
                tracing::info!("the store takes entries again");
                self.is_well();
                Ok(())
            }
            Err(err @ (StoreError::Full(_) | StoreError::Busy(_) | StoreError::ReadOnly(_))) => {
                self.failed(&err);
                Ok(())
            }
            Err(err) if was_unsynced => Err(err),
            Err(err) => {
                self.failed(&err);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tracehub_core::store::{Deleted, Receipt, StoreSize};
    use tracehub_core::wire::ingest::IngestBatch;

    use super::*;

    /// A store whose probes end as was said before.
    struct Probed(VecDeque<Result<(), StoreError>>);

    impl StoreWriter for Probed {
        fn probe(&mut self) -> Result<(), StoreError> {
            self.0.pop_front().expect("no more probes than were foreseen")
        }

        fn ingest(&mut self, _: &[IngestBatch], _: i64) -> Result<Vec<Receipt>, StoreError> {
            unreachable!("only probes")
        }

        fn adjust_arrivals(&mut self, _: i64, _: i64) -> Result<(), StoreError> {
            unreachable!("only probes")
        }

        fn delete_arrived_before(&mut self, _: i64, _: u32) -> Result<Deleted, StoreError> {
            unreachable!("only probes")
        }

        fn delete_oldest(&mut self, _: u32) -> Result<Deleted, StoreError> {
            unreachable!("only probes")
        }

        fn give_back(&mut self, _: u64) -> Result<u64, StoreError> {
            unreachable!("only probes")
        }

        fn settle(&mut self) -> Result<(), StoreError> {
            unreachable!("only probes")
        }

        fn size(&self) -> Result<StoreSize, StoreError> {
            unreachable!("only probes")
        }

        fn finish(&mut self) -> Result<(), StoreError> {
            unreachable!("only probes")
        }
    }

    fn unsynced() -> StoreError {
        StoreError::Unsynced("EIO".into())
    }

    fn disk() -> StoreError {
        StoreError::Disk("EIO".into())
    }

    fn read_only() -> StoreError {
        StoreError::ReadOnly("EROFS".into())
    }

    /// What the first failure and the probes after it lead to: whether entries may be tried, and whether the server ends.
    fn after(first: &StoreError, probes: Vec<Result<(), StoreError>>) -> (bool, bool) {
        let mut recovery = Recovery::new(Arc::default());
        recovery.failed(first);
        let count = probes.len();
        let mut store = Probed(probes.into());
        for number in 1..=count {
            recovery.next_look = Instant::now();
            if recovery.look(&mut store).is_err() {
                assert_eq!(number, count, "it ends with the last");
                return (recovery.refusal().is_none(), true);
            }
        }
        (recovery.refusal().is_none(), false)
    }

    #[test]
    fn nothing_is_written_until_a_probe_goes_well() {
        for first in [unsynced(), disk(), read_only()] {
            assert_eq!(after(&first, vec![]), (false, false), "{first}");
            assert_eq!(after(&first, vec![Ok(())]), (true, false), "{first}");
        }
        for first in [StoreError::Full("".into()), StoreError::Busy("".into())] {
            assert_eq!(after(&first, vec![]), (true, false), "{first}");
        }
    }

    #[test]
    fn only_a_second_failure_after_a_failed_sync_ends_the_server() {
        assert_eq!(after(&unsynced(), vec![Err(unsynced())]), (false, true));
        assert_eq!(after(&unsynced(), vec![Err(disk())]), (false, true));
        assert_eq!(after(&unsynced(), vec![Err(read_only())]), (false, false), "it can still be read");
        assert_eq!(after(&unsynced(), vec![Err(StoreError::Full("".into()))]), (false, false));
        assert_eq!(after(&unsynced(), vec![Err(read_only()), Err(unsynced())]), (false, true));
        assert_eq!(after(&disk(), vec![Err(disk()), Err(disk()), Ok(())]), (true, false));
        assert_eq!(after(&disk(), vec![Err(unsynced()), Err(unsynced())]), (false, true));
    }

    #[test]
    fn it_is_not_tried_before_its_time() {
        let mut recovery = Recovery::new(Arc::default());
        recovery.failed(&disk());
        assert!(recovery.look(&mut Probed(VecDeque::new())).is_ok(), "no probe is taken");
    }
}
