//! A copy of a database that others use meanwhile.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::open::{private_options, read_only};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The database cannot be read.
    #[error("cannot read the database {path}")]
    Source {
        /// The database file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// There is something where the copy should be.
    #[error("{0} exists; a backup overwrites nothing")]
    Exists(PathBuf),
    /// The copy cannot be written.
    #[error("cannot write the backup {path}")]
    Write {
        /// Where the copy should be.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The copy is not whole.
    #[error("the backup {path} is not whole: {problem}")]
    Damaged {
        /// Where it was; it is deleted.
        path: PathBuf,
        /// What SQLite says.
        problem: String,
    },
}

/// Copies a database as it is at this moment, while a server writes to it. The copy is one file without a log, without the
/// room that deleted entries left, readable by its owner alone, checked and synced. Gives its size in bytes.
///
/// # Errors
/// [`BackupError`]; then there is no copy.
pub fn backup(database: &Path, destination: &Path) -> Result<u64, BackupError> {
    let write_failed = |source| BackupError::Write { path: destination.to_owned(), source };
    let read_failed = |source| BackupError::Source { path: database.to_owned(), source };
    let source = Connection::open_with_flags(database, read_only()).map_err(read_failed)?;
    source.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(read_failed)?;
    match private_options().create_new(true).open(destination) {
        Ok(_) => {}
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {
            return Err(BackupError::Exists(destination.to_owned()));
        }
        Err(err) => return Err(write_failed(err)),
    }
    copy(&source, destination).inspect_err(|_| {
        let _ = fs::remove_file(destination);
    })
}

fn copy(source: &Connection, destination: &Path) -> Result<u64, BackupError> {
    let write_failed = |source| BackupError::Write { path: destination.to_owned(), source };
    let target = destination.to_str().ok_or_else(|| write_failed(io::Error::other("the path is not UTF-8")))?;
    source.execute("VACUUM INTO ?1", [target]).map_err(|err| write_failed(io::Error::other(err)))?;
    let damaged = |problem| BackupError::Damaged { path: destination.to_owned(), problem };
    let copied = Connection::open_with_flags(destination, read_only()).map_err(|err| damaged(err.to_string()))?;
    let verdict: String =
        copied.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|err| damaged(err.to_string()))?;
    if verdict != "ok" {
        return Err(damaged(verdict));
    }
    let file = File::open(destination).map_err(write_failed)?;
    file.sync_all().map_err(write_failed)?;
    Ok(file.metadata().map_err(write_failed)?.len())
}
