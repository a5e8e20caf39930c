//! Whether entries are taken, and if not, why: said by the writer, read by whoever asks how the server is.

use std::sync::atomic::{AtomicU8, Ordering};

/// What keeps entries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Trouble {
    /// The disk has less room than must stay free, or none.
    StorageFull = 1,
    /// Another program holds the database.
    StorageBusy = 2,
    /// The store fails for a reason of its own; the log says which.
    StorageFailing = 3,
    /// The file system lets nothing be changed.
    ReadOnlyStorage = 4,
}

impl Trouble {
    /// Every one.
    pub(crate) const ALL: [Self; 4] =
        [Self::StorageFull, Self::StorageBusy, Self::StorageFailing, Self::ReadOnlyStorage];

    /// Its name for programs: the code by which entries are refused.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::StorageFull => "storage_full",
            Self::StorageBusy => "storage_busy",
            Self::StorageFailing => "storage_unavailable",
            Self::ReadOnlyStorage => "storage_readonly",
        }
    }
}

/// How the last attempt to store something went. Everything is well until the writer says otherwise.
#[derive(Debug, Default)]
pub(crate) struct Condition(AtomicU8);

impl Condition {
    /// Entries are taken.
    pub(crate) fn is_well(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Entries are refused because of `trouble`.
    pub(crate) fn is_in(&self, trouble: Trouble) {
        self.0.store(trouble as u8, Ordering::Relaxed);
    }

    /// What keeps entries out; nothing if they are taken.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        let said = self.0.load(Ordering::Relaxed);
        Trouble::ALL.into_iter().find(|trouble| *trouble as u8 == said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_last_holds() {
        let condition = Condition::default();
        assert_eq!(condition.trouble(), None);
        for trouble in Trouble::ALL {
            condition.is_in(trouble);
            assert_eq!(condition.trouble(), Some(trouble));
        }
        condition.is_well();
        assert_eq!(condition.trouble(), None);
    }
}
