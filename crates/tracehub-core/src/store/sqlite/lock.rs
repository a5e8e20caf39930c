//! The lock file beside a database: one server at a time, and a word on what the last one made.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use super::OpenError;
use super::open::{beside, private_options};

/// The lock file of a database, so that two servers never write the same file.
pub(super) struct Lock {
    file: File,
    /// Whether a server has made the database: then it cannot be empty.
    pub(super) database_made: bool,
}

impl Lock {
    const DATABASE_MADE: &str = "made";

    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let lock_path = beside(path, ".lock");
        let failed = |source| OpenError::File { path: lock_path.clone(), source };
        let mut file = private_options().truncate(false).open(&lock_path).map_err(failed)?;
        let mut said = String::new();
        // What it says is a courtesy: the lock stands whether or not it can be read.
        let _ = file.read_to_string(&mut said);
        let mut said = said.lines();
        let holder = said.next().filter(|holder| !holder.is_empty()).unwrap_or("unknown").to_owned();
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(OpenError::InUse { path: path.to_owned(), holder }),
            Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        // One that was deleted is made again.
        let database_made = path.exists() && said.next() == Some(Self::DATABASE_MADE);
        let mut lock = Self { file, database_made };
        lock.write().map_err(failed)?;
        Ok(lock)
    }

    /// Says who holds it, and what is known of the database.
    pub(super) fn write(&mut self) -> io::Result<()> {
        let made = if self.database_made { Self::DATABASE_MADE } else { "" };
        self.file.set_len(0)?;
        self.file.rewind()?;
        writeln!(self.file, "{}\n{made}", std::process::id())
    }

    /// Open for as long as the lock is held.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn into_file(self) -> File {
        self.file
    }
}
