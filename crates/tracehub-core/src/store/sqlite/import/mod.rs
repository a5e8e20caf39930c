//! Taking over a file of the Python server 0.1.0: a new file grows beside it and takes its name when it is complete.
//!
//! `copy` moves the rows, `row` reads one of them, `set_aside` keeps what cannot be an entry, `files` names the files
//! and puts them in their places. At every instant either the old or the whole new file stands under the database's
//! name, so whatever ends this, the next start finds it done or starts over; there is nothing to resume.

mod copy;
mod files;
mod row;
mod set_aside;

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use self::copy::Copied;
use self::files::Files;
pub(super) use self::row::COLUMNS;
use self::set_aside::SetAside;
use super::open::{self, Durability, OpenError};
use super::recent::Recent;
use super::sites::SiteTable;
use super::write::SqliteWriter;

/// Room beyond the old file's size: the new file's log of some 6 MB, a page for every table, what others write.
const SPARE_BYTES: u64 = 16 << 20;
/// How long another program may keep the old file locked before it counts as in use.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// How far the migration of a file of the Python server is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MigrationProgress {
    /// Rows are being copied. Said before the first and after every few thousand.
    Copying {
        /// Rows that were read so far.
        rows_done: u64,
        /// Rows of the old file.
        rows_total: u64,
    },
    /// The new file stands under the database's name.
    Done(MigrationReport),
}

/// What became of the rows of a file of the Python server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationReport {
    /// Rows that are entries now.
    pub entries: u64,
    /// Entries among them whose `data` common JSON readers refuse (such as `NaN`). It became
    /// `{"migrated_text": "<the old text>"}`.
    pub data_kept_as_text: u64,
    /// Rows that cannot be entries, such as those with an infinite timestamp.
    pub rows_set_aside: u64,
    /// The file with those rows, one JSON object a line; none if there are none.
    pub set_aside: Option<PathBuf>,
    /// The old file, with every row that it had.
    pub backup: PathBuf,
}

/// Why a migration ended before its end.
#[derive(Debug, thiserror::Error)]
enum ImportError {
    #[error("another program uses it")]
    Busy,
    #[error("needs {needed} bytes, {available} are free")]
    NoRoom { needed: u64, available: u64 },
    #[error("it was asked to stop")]
    Stopped,
    #[error("cannot read the old file")]
    Old(#[source] rusqlite::Error),
    #[error("cannot write the new file")]
    New(#[source] rusqlite::Error),
    #[error("of {expected} rows {found} arrived in the new file")]
    Incomplete { expected: u64, found: u64 },
    #[error("the file {} is in the way", .0.display())]
    InTheWay(PathBuf),
    #[error("cannot {step}")]
    Files { step: &'static str, source: io::Error },
}

impl ImportError {
    /// For `map_err`: an error of the file system while doing `step`.
    fn files(step: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Files { step, source }
    }

    fn into_open_error(self, path: &Path) -> OpenError {
        let path = path.to_owned();
        match self {
            Self::Busy => OpenError::MigrationBlocked { path },
            Self::NoRoom { needed, available } => OpenError::MigrationRoom { path, needed, available },
            Self::Stopped => OpenError::MigrationStopped { path },
            err => OpenError::Migration { path, source: Box::new(err) },
        }
    }
}

/// Replaces the Python server's file at `path` by one of ours with the same entries. `lock` is the lock file,
/// which is held.
///
/// `progress` may break off; the old file is then as it was.
pub(super) fn import(
    path: &Path,
    lock: &File,
    progress: &mut dyn FnMut(MigrationProgress) -> ControlFlow<()>,
) -> Result<(), OpenError> {
    let report = replace(path, lock, progress).map_err(|err| err.into_open_error(path))?;
    // It is done: there is nothing left to stop.
    let _ = progress(MigrationProgress::Done(report));
    Ok(())
}

fn replace(
    path: &Path,
    lock: &File,
    progress: &mut dyn FnMut(MigrationProgress) -> ControlFlow<()>,
) -> Result<MigrationReport, ImportError> {
    let files = Files::beside(path);
    files.remove_unfinished()?;
    check_room(path)?;
    let old = hold(path)?;
    // A file system that cannot link says so before the long work. Until the end it is a second name of the same file.
    let backup = files.link_backup()?;
    let replaced = write_new_file(&old, &files, lock, progress).and_then(|(copied, set_aside)| {
        files.put_in_place()?;
        Ok((copied, set_aside))
    });
    match replaced {
        Ok((copied, set_aside)) => {
            files.sync_folder()?;
            Ok(MigrationReport {
                entries: copied.entries,
                data_kept_as_text: copied.data_kept_as_text,
                rows_set_aside: copied.rows_set_aside,
                set_aside,
                backup,
            })
        }
        Err(err) => {
            // The old file was never away. What cannot be removed now is removed by the next start.
            let _ = files.remove_unfinished();
            let _ = std::fs::remove_file(backup);
            Err(err)
        }
    }
    // Only here the old file's lock goes: until the name led elsewhere, nobody could add a row to it.
}

/// Refuses to begin what the disk cannot hold. The old file's size is a generous guess: the new one has about half.
fn check_room(path: &Path) -> Result<(), ImportError> {
    let used: u64 = Connection::open_with_flags(path, open::read_only())
        .and_then(|old| {
            let number = |pragma| old.pragma_query_value(None, pragma, |row| row.get::<_, u64>(0));
            Ok(number("page_count")?.saturating_sub(number("freelist_count")?) * number("page_size")?)
        })
        .map_err(ImportError::Old)?;
    let needed = used + SPARE_BYTES;
    match files::free_bytes(path)? {
        Some(available) if available < needed => Err(ImportError::NoRoom { needed, available }),
        _ => Ok(()),
    }
}

/// Opens the old file so that nobody else can write to it and everything of it is in the one file.
///
/// Locks of one process on one file fall with the first handle that is closed: until this connection is dropped, the
/// file must not be opened otherwise.
fn hold(path: &Path) -> Result<Connection, ImportError> {
    let blocked = |err: rusqlite::Error| match err.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ImportError::Busy,
        _ => ImportError::Old(err),
    };
    let old = Connection::open_with_flags(path, open::read_write()).map_err(ImportError::Old)?;
    old.busy_timeout(LOCK_PATIENCE).map_err(ImportError::Old)?;
    // A write-ahead log is found by the file's name. Left behind, it would be replayed into the new file.
    let mode: String =
        old.pragma_update_and_check(None, "journal_mode", "delete", |row| row.get(0)).map_err(blocked)?;
    if mode != "delete" {
        return Err(ImportError::Busy);
    }
    old.execute_batch("BEGIN IMMEDIATE").map_err(blocked)?;
    files::expect_no_log(path)?;
    Ok(old)
}

/// Writes everything beside the old file and syncs it; gives the counts and where the rows are that were set aside.
fn write_new_file(
    old: &Connection,
    files: &Files,
    lock: &File,
    progress: &mut dyn FnMut(MigrationProgress) -> ControlFlow<()>,
) -> Result<(Copied, Option<PathBuf>), ImportError> {
    // Made, never found: in a folder that others write to, a file of theirs must not become the database.
    open::private_options().create_new(true).open(&files.new).map_err(ImportError::files("make the new file"))?;
    // No durability on the way: a file that a power cut has torn is thrown away with the next start.
    let mut new = open::connect_writer(&files.new, Durability::Normal)
        .and_then(|new| new.pragma_update(None, "synchronous", "off").map(|()| new))
        .map_err(ImportError::New)?;
    super::migrate::migrate(&mut new, 0).map_err(ImportError::New)?;
    let mut set_aside = SetAside::new(&files.unfinished_set_aside);
    let lock = lock.try_clone().map_err(ImportError::files("share the lock file"))?;
    let mut writer =
        SqliteWriter::new(new, &files.new, SiteTable::new(), Recent::default(), lock).map_err(ImportError::New)?;
    let copied = copy::copy(old, &mut writer, &mut set_aside, progress)?;
    let new = writer.into_connection().map_err(ImportError::New)?;
    copy::check_complete(&new, &copied)?;
    // Closing checkpoints as well, but does not say when it could not.
    new.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(ImportError::New)?;
    new.close().map_err(|(_, err)| ImportError::New(err))?;
    files::expect_no_log(&files.new)?;
    files::sync(&files.new)?;
    let set_aside = if set_aside.finish()? { Some(files.name_set_aside()?) } else { None };
    Ok((copied, set_aside))
}
