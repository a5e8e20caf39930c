//! How a store fails, named after what it was doing.

use std::path::PathBuf;

/// A store could not do what was asked. The source says why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Batches could not be stored; nothing of them was.
    #[error("cannot store the entries")]
    Ingest(#[source] BoxError),
    /// Old entries could not be deleted.
    #[error("cannot delete old entries")]
    Delete(#[source] BoxError),
    /// The times of arrival could not be changed.
    #[error("cannot move the times of arrival")]
    Adjust(#[source] BoxError),
    /// There is no room for more. What was to be written is not; it can be when there is room again.
    #[error("the disk is full")]
    Full(#[source] BoxError),
    /// The file system lets nothing be changed, or not by this process. It may let it again.
    #[error("the file system is read-only")]
    ReadOnly(#[source] BoxError),
    /// The disk did not confirm what was written: it may be there after a crash, or a part of it. It does not count as
    /// stored.
    #[error("the disk did not confirm what was written")]
    Unsynced(#[source] BoxError),
    /// The disk refused to write or to read.
    #[error("the disk refused")]
    Disk(#[source] BoxError),
    /// The database is not what it was when it was written.
    #[error("the database is damaged; `sqlite3 <database> .recover` may save what is left")]
    Damaged(#[source] BoxError),
    /// The database's files were moved or deleted while they were open. What is written to them cannot be found again.
    #[error("{0} is no longer where it was")]
    Gone(PathBuf),
    /// Another program holds the database. It may let go of it.
    #[error("the store is held by another program")]
    Busy(#[source] BoxError),
    /// A question took longer than one may.
    #[error("the question took too long")]
    TooSlow(#[source] BoxError),
    /// The room that deleted entries took could not be given back.
    #[error("cannot give back the room of deleted entries")]
    GiveBack(#[source] BoxError),
    /// What was committed could not be brought to where it belongs.
    #[error("cannot write the log into the database")]
    Settle(#[source] BoxError),
    /// How much room there is could not be found out.
    #[error("cannot tell how much room the store takes")]
    Size(#[source] BoxError),
    /// Entries or chains could not be read.
    #[error("cannot read the store")]
    Read(#[source] BoxError),
}

/// The database's own word. Boxed, so that the contract names no database.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
