//! Opening the database file: who may hold it, what it must be, and how SQLite is set.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::import::{self, MigrationProgress};
use super::lock::Lock;
use super::log_check::{self, LogDamage};
use super::migrate::{self, Owner, OwnerError};
use super::read::SqliteReader;
use super::recent::Recent;
use super::sites::SiteTable;
use super::write::SqliteWriter;
use crate::store::BoxError;

/// Every SQLite file begins with this text.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";
/// How long the header is that follows.
const HEADER_BYTES: u64 = 100;

/// How long one waits for another program to let go of the database.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// When an answer may say that entries are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// After they were synced to disk: they survive a power cut.
    #[default]
    Full,
    /// After they were handed to the operating system: they survive the process, but not always a power cut.
    Normal,
}

/// How to open a store.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// The database file; made when missing.
    pub path: PathBuf,
    /// When an answer may say that entries are stored.
    pub durability: Durability,
    /// How many connections read at the same time, at least 1.
    pub readers: u32,
    /// How long one question may take.
    pub read_timeout: Duration,
}

impl OpenOptions {
    /// A file, synced at every commit, with eight readers whose questions may take five seconds.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), durability: Durability::Full, readers: 8, read_timeout: Duration::from_secs(5) }
    }
}

/// Why a store could not be opened. What the file held, it still holds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file's folder does not exist or cannot be used.
    #[error("cannot use the folder of the database {path}")]
    Folder {
        /// The database file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file, or one beside it, is a symbolic link, which in a shared folder could point anywhere.
    #[error("{path} is a symbolic link; the database and what lies beside it must be files")]
    SymbolicLink {
        /// The link.
        path: PathBuf,
    },
    /// Another server uses the file.
    #[error("the database {path} is in use by another server (process {holder})")]
    InUse {
        /// The database file.
        path: PathBuf,
        /// The other server's process id, or `unknown`.
        holder: String,
    },
    /// The file cannot be created, read or written.
    #[error("cannot open the database {path}")]
    File {
        /// The database file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no database of TraceHub.
    #[error("{path} is not a database of TraceHub: {reason}; it was not touched")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: String,
    },
    /// The file is damaged.
    #[error(
        "the database {path} is damaged: {reason}; it was not touched. `sqlite3 {path} .recover` may save what is left, \
         into another file"
    )]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The file is the Python server's, and another program, likely that server, uses it.
    #[error("cannot migrate the database {path} while another program uses it; stop the Python server first")]
    MigrationBlocked {
        /// The database file.
        path: PathBuf,
    },
    /// The file is the Python server's, and the disk has no room for a new file beside it.
    #[error(
        "cannot migrate the database {path} of the Python server: the new file needs up to {needed} bytes beside the \
         old one, {available} are free; nothing was changed"
    )]
    MigrationRoom {
        /// The database file.
        path: PathBuf,
        /// Bytes that the new file may take.
        needed: u64,
        /// Bytes that are free on the disk.
        available: u64,
    },
    /// The file is the Python server's, and its migration was broken off by the caller. The next start begins again.
    #[error("the migration of the database {path} was stopped; the next start begins it again")]
    MigrationStopped {
        /// The database file.
        path: PathBuf,
    },
    /// The file is the Python server's and could not be migrated. Its rows are as they were.
    #[error("cannot migrate the database {path} of the Python server; its rows are as they were")]
    Migration {
        /// The database file.
        path: PathBuf,
        /// Why.
        source: BoxError,
    },
    /// SQLite refuses the file.
    #[error("SQLite cannot open {path}")]
    Sqlite {
        /// The database file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The read connections could not be made.
    #[error("cannot open read connections to {path}")]
    Pool {
        /// The database file.
        path: PathBuf,
        /// Why.
        source: r2d2::Error,
    },
}

/// Opens the store, making the file when it is missing.
///
/// The file and its companions are readable by their owner alone. The writer holds a lock file beside the database
/// (`<database>.lock`) for as long as it lives. A file of the Python server 0.1.0 is migrated first: see
/// [`open_with_progress`].
///
/// # Errors
/// [`OpenError`]; what the file held, it still holds.
pub fn open(options: &OpenOptions) -> Result<(SqliteWriter, SqliteReader), OpenError> {
    open_with_progress(options, &mut |_| ControlFlow::Continue(()))
}

/// [`open`], telling `progress` how the migration of a file of the Python server 0.1.0 goes, every few thousand rows.
///
/// The new file grows beside the old one (`<database>.migrating`) and takes its name when it is whole and synced; the
/// old one stays as `<database>.python-0.1.0.bak`. Whatever interrupts this, the process's end and a power cut
/// included, the next call begins again, or finds it done. `progress` may break it off.
///
/// # Errors
/// [`OpenError`]; what the file held, it still holds.
pub fn open_with_progress(
    options: &OpenOptions,
    progress: &mut dyn FnMut(MigrationProgress) -> ControlFlow<()>,
) -> Result<(SqliteWriter, SqliteReader), OpenError> {
    let path = resolve(&options.path)?;
    let mut lock = Lock::take(&path)?;
    create_private(&path)?;
    check_header(&path, lock.database_made)?;
    let log_damage = look_at_log(&path).map_err(|source| OpenError::File { path: path.clone(), source })?;
    let failed = |source| refused_by_sqlite(&path, source);
    let version = match check_owner(&path)? {
        Owner::Ours { version } => version,
        Owner::Python => {
            import::import(&path, lock.file(), progress)?;
            migrate::NEWEST
        }
    };
    let mut connection = connect_writer(&path, options.durability).map_err(failed)?;
    migrate::migrate(&mut connection, version).map_err(failed)?;
    let sites = SiteTable::new();
    let recent = Recent::default();
    lock.database_made = true;
    lock.write().map_err(|source| OpenError::File { path: path.clone(), source })?;
    let mut writer =
        SqliteWriter::new(connection, &path, sites.clone(), recent.clone(), lock.into_file()).map_err(failed)?;
    writer.log_damage = log_damage;
    let reader = SqliteReader::connect(&path, options, sites, recent)
        .map_err(|source| OpenError::Pool { path: path.clone(), source })?;
    Ok((writer, reader))
}

/// The file's real place: links in its folder followed, the file itself no link.
fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    let folder_error = |source| OpenError::Folder { path: path.to_owned(), source };
    let name = path.file_name().ok_or_else(|| folder_error(io::Error::other("the path names no file")))?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let resolved = folder.canonicalize().map_err(folder_error)?.join(name);
    for end in ["-wal", "-shm", ".lock"] {
        let companion = beside(&resolved, end);
        if fs::symlink_metadata(&companion).is_ok_and(|metadata| metadata.is_symlink()) {
            return Err(OpenError::SymbolicLink { path: companion });
        }
    }
    match fs::symlink_metadata(&resolved) {
        Ok(metadata) if metadata.is_symlink() => Err(OpenError::SymbolicLink { path: resolved }),
        Ok(metadata) if metadata.is_dir() => Err(folder_error(io::Error::from(io::ErrorKind::IsADirectory))),
        Ok(_) => Ok(resolved),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(resolved),
        Err(source) => Err(OpenError::File { path: resolved, source }),
    }
}

/// A file that belongs to a database.
pub(super) fn beside(database: &Path, end: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(end);
    path.into()
}

/// Makes the file before SQLite does, because SQLite would let everyone read it. The WAL inherits the mode.
fn create_private(path: &Path) -> Result<(), OpenError> {
    private_options()
        .truncate(false)
        .open(path)
        .map(drop)
        .map_err(|source| OpenError::File { path: path.to_owned(), source })
}

/// Options to read and write a file that is made when missing, for its owner alone.
pub(super) fn private_options() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // A link may be put there after everything was looked at.
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    options
}

/// Refuses what is no SQLite file, or a part of one, before SQLite touches it.
fn check_header(path: &Path, was_made: bool) -> Result<(), OpenError> {
    let failed = |source| OpenError::File { path: path.to_owned(), source };
    let mut header = Vec::new();
    let file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    file.take(HEADER_BYTES).read_to_end(&mut header).map_err(failed)?;
    if header.is_empty() {
        // An empty file is a new database, unless it has lost what was in it.
        let reason = match (has_log(path), was_made) {
            (true, _) => "it is empty, and its log is not",
            (false, true) => "it is empty, and was not before; delete it to begin anew",
            (false, false) => return Ok(()),
        };
        return Err(OpenError::Corrupt { path: path.to_owned(), reason: reason.to_owned() });
    }
    let has_journal = || fs::metadata(beside(path, "-journal")).is_ok_and(|journal| journal.len() > 0);
    let is_sqlite = header.starts_with(SQLITE_MAGIC);
    let is_cut_off = is_sqlite && page_size(&header).is_some_and(|page| length < page);
    if (is_cut_off || header.iter().all(|byte| *byte == 0)) && has_journal() {
        // The power went while SQLite wrote its first page ever. With the journal it takes back the rest of it.
        return Ok(());
    }
    if !is_sqlite {
        return Err(OpenError::Foreign { path: path.to_owned(), reason: "it is not a SQLite file".to_owned() });
    }
    match expected_length(&header) {
        Some(expected) if length < expected && !has_log(path) => Err(OpenError::Corrupt {
            path: path.to_owned(),
            reason: format!("it should have {expected} bytes and has {length}"),
        }),
        _ => Ok(()),
    }
}

/// What is wrong with the log. A damaged one is copied, because SQLite will write over what it cannot use.
fn look_at_log(path: &Path) -> io::Result<Option<LogDamage>> {
    let damage = log_check::log_damage(path)?;
    if damage.is_some() {
        // One that is there already is older, and has what was lost first.
        match private_options().create_new(true).open(beside(path, ".damaged-wal")) {
            Ok(mut copy) => {
                io::copy(&mut File::open(beside(path, "-wal"))?, &mut copy)?;
                copy.sync_all()?;
            }
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
            Err(err) => return Err(err),
        }
    }
    Ok(damage)
}

/// The file's length by its header, where that says: <https://www.sqlite.org/fileformat2.html#the_database_header>.
fn expected_length(header: &[u8]) -> Option<u64> {
    let number = |place: usize| Some(u32::from_be_bytes(header.get(place..place + 4)?.try_into().ok()?));
    // The count was written by the last change, or by a program that does not know it.
    let is_valid = number(24)? == number(92)?;
    Some(u64::from(number(28)?) * page_size(header)?).filter(|_| is_valid)
}

/// The bytes of a page by the file's header.
fn page_size(header: &[u8]) -> Option<u64> {
    Some(match u16::from_be_bytes(header.get(16..18)?.try_into().ok()?) {
        1 => 65_536,
        size => u64::from(size),
    })
}

/// Whether there is a log with pages that the file itself may lack.
fn has_log(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

/// Whose file it is, looked at read-only: setting the journal mode would write into a file of others.
fn check_owner(path: &Path) -> Result<Owner, OpenError> {
    let look = |flags| {
        Connection::open_with_flags(path, flags).map_err(OwnerError::from).and_then(|file| migrate::owner(&file))
    };
    let outcome = match look(read_only()) {
        // Its program was killed in mid-transaction, as the Python server may have been. Only a connection that may
        // write can take the half transaction back, which any next reader of the file would do as well.
        Err(OwnerError::Sqlite(err)) if needs_rollback(&err) => look(read_write()),
        outcome => outcome,
    };
    outcome.map_err(|err| match err {
        OwnerError::Foreign(reason) => OpenError::Foreign { path: path.to_owned(), reason },
        OwnerError::Sqlite(source) => refused_by_sqlite(path, source),
    })
}

fn refused_by_sqlite(path: &Path, source: rusqlite::Error) -> OpenError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => OpenError::Corrupt { path, reason: source.to_string() },
        _ => OpenError::Sqlite { path, source },
    }
}

fn needs_rollback(err: &rusqlite::Error) -> bool {
    err.sqlite_error().is_some_and(|err| err.extended_code == rusqlite::ffi::SQLITE_READONLY_ROLLBACK)
}

/// Flags of a connection that reads an existing file, which is no link.
pub(super) fn read_only() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW
}

/// Flags of a connection that reads and writes an existing file, which is no link.
pub(super) fn read_write() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW
}

pub(super) fn connect_writer(path: &Path, durability: Durability) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, read_write())?;
    // 8 KiB pages: 2.7 CPU s per million rows against 3.3 at the default 4 KiB. Only a new file takes it.
    connection.pragma_update(None, "page_size", 8192)?;
    // Lets space.rs give room back in small steps. Only a new file takes it.
    connection.pragma_update(None, "auto_vacuum", "incremental")?;
    // Readers see the last commit while the writer goes on; a commit appends instead of rewriting pages.
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    // FULL syncs the WAL at every commit, NORMAL only at checkpoints: a power cut then takes acknowledged rows.
    connection.pragma_update(
        None,
        "synchronous",
        match durability {
            Durability::Full => "full",
            Durability::Normal => "normal",
        },
    )?;
    // 800 pages of 8 KiB keep the WAL near 6 MB: smaller costs throughput, larger makes the worst commit wait longer.
    connection.pragma_update(None, "wal_autocheckpoint", 800)?;
    // A reader that held up the log has let it grow; it is cut again when it begins anew.
    connection.pragma_update_and_check(None, "journal_size_limit", 16 << 20, |_| Ok(()))?;
    // 32 MiB of page cache hold the index pages that live chains touch.
    connection.pragma_update(None, "cache_size", -32_768)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    // Shorter than clients wait for an answer, so that they hear of it.
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}
