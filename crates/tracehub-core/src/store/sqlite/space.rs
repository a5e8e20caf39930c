//! Room: how much the file takes, and giving back what deleted entries left.
//!
//! New entries take the pages that deleted ones left, so the file does not grow while about as much comes as goes. When
//! far more has gone, pages are moved from the end of the file into its holes a few at a time (SQLite's incremental
//! vacuum, <https://www.sqlite.org/pragma.html#pragma_incremental_vacuum>), and the end is cut off. A whole `VACUUM` would
//! hold up ingest for seconds and need the room twice.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::open::{BUSY_TIMEOUT, beside};
use super::write::SqliteWriter;
use crate::store::{BoxError, StoreError, StoreSize};

/// The log is begun anew when it holds 6 MB, unless somebody reads what stands in it. Beyond this, somebody always does.
const LONG_LOG_BYTES: u64 = 32 << 20;
/// How long the writer then waits for those who read. Most questions take far less, and it is tried again; but the longer
/// the log is, the longer it waits, because each question slows down with it.
const WAIT_FOR_READERS: Duration = Duration::from_millis(50);
const LONGEST_WAIT_FOR_READERS: Duration = Duration::from_secs(1);

/// Which files the open database is, whatever lies under their names by now.
#[derive(Debug)]
pub(super) struct Place(Vec<(PathBuf, Option<(u64, u64)>)>);

impl Place {
    pub(super) fn of(database: &Path) -> Self {
        let files = [database.to_owned(), beside(database, "-wal")];
        Self(files.into_iter().map(|file| (file.clone(), number(&file))).collect())
    }

    /// A file that is not there any more, or another one.
    fn lost(&self) -> Option<&Path> {
        self.0.iter().find(|(file, known)| known.is_some() && number(file) != *known).map(|(file, _)| file.as_path())
    }
}

/// What tells a file from any other, where there is such a number.
fn number(file: &Path) -> Option<(u64, u64)> {
    #[cfg(unix)]
    let number = fs::metadata(file).ok().map(|file| {
        use std::os::unix::fs::MetadataExt as _;
        (file.dev(), file.ino())
    });
    #[cfg(not(unix))]
    let number = None;
    number
}

impl SqliteWriter {
    /// An error if the files are not where they were when they were opened.
    pub(super) fn check_place(&self) -> Result<(), StoreError> {
        self.place.lost().map_or(Ok(()), |file| Err(StoreError::Gone(file.to_owned())))
    }

    pub(super) fn room(&self) -> Result<StoreSize, BoxError> {
        let page = pragma(&self.connection, "PRAGMA page_size")?;
        // Entries' ids follow each other without gaps and the oldest go first, so the ends say how many there are.
        let oldest: Option<i64> =
            self.connection.prepare_cached("SELECT min(id) FROM entries")?.query_row([], |row| row.get(0))?;
        let entries = oldest.map_or(0, |oldest| self.next_entry_id - oldest);
        Ok(StoreSize {
            total_bytes: pragma(&self.connection, "PRAGMA page_count")? * page,
            reusable_bytes: pragma(&self.connection, "PRAGMA freelist_count")? * page,
            entries: u64::try_from(entries).unwrap_or_default(),
            free_disk_bytes: free_disk_bytes(&self.path)?,
        })
    }

    /// Writes a long log into the database and cuts it off. Readers that overlap would keep it for ever: each new one reads
    /// what the one before has kept from being written back. While the writer waits nothing is added, so the next ones
    /// read all there is, and when the last of those before has gone nobody needs the log
    /// (<https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files>).
    pub(super) fn shorten_log(&self) -> rusqlite::Result<()> {
        let log = fs::metadata(beside(&self.path, "-wal")).map_or(0, |log| log.len());
        if log <= LONG_LOG_BYTES {
            return Ok(());
        }
        let how_long = u32::try_from(log / LONG_LOG_BYTES).unwrap_or(u32::MAX);
        let wait = WAIT_FOR_READERS.saturating_mul(how_long.saturating_pow(2)).min(LONGEST_WAIT_FOR_READERS);
        self.connection.busy_timeout(wait)?;
        // Whether readers were in the way is a column of its answer, no error.
        let outcome = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        self.connection.busy_timeout(BUSY_TIMEOUT)?;
        outcome
    }

    /// Gives about so many bytes back; gives how many it were.
    pub(super) fn shrink(&self, bytes: u64) -> rusqlite::Result<u64> {
        let page = pragma(&self.connection, "PRAGMA page_size")?;
        let before = pragma(&self.connection, "PRAGMA page_count")?;
        let pages = i64::try_from((bytes / page).max(1)).unwrap_or(i64::MAX);
        // Each row is a page that was freed.
        self.connection.pragma(None, "incremental_vacuum", pages, |_| Ok(()))?;
        // The end of the file is cut off when the log is written into it.
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        let after = pragma(&self.connection, "PRAGMA page_count")?;
        Ok(before.saturating_sub(after) * page)
    }
}

fn pragma(connection: &Connection, statement: &str) -> rusqlite::Result<u64> {
    connection.prepare_cached(statement)?.query_row([], |row| row.get(0))
}

/// The bytes that this user may still write where a file is, on its disk and by the limit of its process (`ulimit -f`);
/// none if the system does not say.
#[cfg(unix)]
pub(super) fn free_disk_bytes(path: &Path) -> io::Result<Option<u64>> {
    let disk = rustix::fs::statvfs(path.parent().unwrap_or(Path::new(".")))?;
    let on_disk = disk.f_bavail.saturating_mul(disk.f_frsize);
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    let bytes = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    let below_limit = match limit {
        Some(limit) => limit.saturating_sub(bytes(path).max(bytes(&beside(path, "-wal")))),
        None => u64::MAX,
    };
    Ok(Some(on_disk.min(below_limit)))
}

#[cfg(not(unix))]
pub(super) fn free_disk_bytes(_: &Path) -> io::Result<Option<u64>> {
    Ok(None)
}
