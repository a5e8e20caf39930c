//! One question's view of the database, and how long it may look.

use std::time::{Duration, Instant};

use rusqlite::{CachedStatement, Connection, Transaction, ffi};

/// Steps of SQLite's machine between two looks at the clock: well under a millisecond.
const STEPS_PER_LOOK: i32 = 10_000;

/// When a question has taken too long.
#[derive(Debug, Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    fn has_passed(self) -> bool {
        Instant::now() >= self.0
    }
}

/// One state of the database, for one question.
pub(super) struct Snapshot<'a> {
    transaction: Transaction<'a>,
    deadline: Deadline,
}

impl<'a> Snapshot<'a> {
    /// The state that the connection sees with its first statement.
    pub(super) fn take(connection: &'a mut Connection, timeout: Duration) -> rusqlite::Result<Self> {
        let deadline = Deadline(Instant::now() + timeout);
        connection.progress_handler(STEPS_PER_LOOK, Some(move || deadline.has_passed()))?;
        Ok(Self { transaction: connection.transaction()?, deadline })
    }

    pub(super) fn statement(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.transaction.prepare_cached(sql)
    }

    /// The items, until the time is up. SQLite looks at the clock within a statement; many short ones are many looks
    /// that it never takes.
    pub(super) fn in_time<T>(&self, items: impl Iterator<Item = T>) -> impl Iterator<Item = rusqlite::Result<T>> {
        items.enumerate().map(|(number, item)| {
            if number % 64 == 0 && self.deadline.has_passed() {
                return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_INTERRUPT), None));
            }
            Ok(item)
        })
    }
}
