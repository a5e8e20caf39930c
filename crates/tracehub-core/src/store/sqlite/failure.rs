//! What an error of SQLite means to whoever asked.
//!
//! SQLite says that the system refused, and seldom why. So after a write that failed the file system is asked itself: is
//! there room, and may anything be changed?

use std::time::SystemTime;

use rusqlite::{ErrorCode, ffi};

use super::space::free_disk_bytes;
use super::write::SqliteWriter;
use crate::store::{BoxError, StoreError};

/// With less room than this, a write that failed did so for want of it: a step of any of the database's files is smaller.
const NO_ROOM: u64 = 64 << 10;

/// One of the few that mean the same whatever was done, or `otherwise`.
pub(super) fn store_error(err: rusqlite::Error, otherwise: fn(BoxError) -> StoreError) -> StoreError {
    let meaning = match err.sqlite_error() {
        Some(ffi::Error { extended_code: ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC, .. }) => {
            StoreError::Unsynced
        }
        Some(ffi::Error { code, .. }) => match code {
            ErrorCode::DiskFull => StoreError::Full,
            ErrorCode::ReadOnly => StoreError::ReadOnly,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy,
            ErrorCode::OperationInterrupted => StoreError::TooSlow,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Damaged,
            ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => StoreError::Disk,
            _ => otherwise,
        },
        None => otherwise,
    };
    meaning(err.into())
}

impl SqliteWriter {
    /// What it means that a write failed.
    pub(super) fn failure(&self, err: rusqlite::Error, otherwise: fn(BoxError) -> StoreError) -> StoreError {
        match store_error(err, otherwise) {
            StoreError::Disk(err) if self.is_read_only() => StoreError::ReadOnly(err),
            // A limit of the process (ulimit -f), or what SQLite keeps beside the database in memory files.
            StoreError::Disk(err) if self.is_full() => StoreError::Full(err),
            meaning => meaning,
        }
    }

    /// Whether the file system refuses a change that needs no room.
    fn is_read_only(&self) -> bool {
        use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        let touched = self.lock.set_modified(SystemTime::now());
        touched.is_err_and(|err| matches!(err.kind(), ReadOnlyFilesystem | PermissionDenied))
    }

    fn is_full(&self) -> bool {
        free_disk_bytes(&self.path).is_ok_and(|free| free.is_some_and(|free| free < NO_ROOM))
    }
}
