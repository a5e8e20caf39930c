//! The files of a migration: how they are called beside the database, and how they get their places.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::super::space::free_disk_bytes;
use super::ImportError;

/// The most names that are tried for a file that must not take another's place.
const MAX_NUMBER: u32 = 999;

/// The paths beside one database.
#[derive(Debug)]
pub(super) struct Files {
    database: PathBuf,
    /// The new database while it grows: `<database>.migrating`.
    pub(super) new: PathBuf,
    /// The rows that are set aside, while they are collected: `<database>.migrating.ndjson`.
    pub(super) unfinished_set_aside: PathBuf,
}

impl Files {
    pub(super) fn beside(database: &Path) -> Self {
        Self {
            database: database.to_owned(),
            new: with_ending(database, ".migrating"),
            unfinished_set_aside: with_ending(database, ".migrating.ndjson"),
        }
    }

    /// Removes what a migration that did not reach its end has left.
    pub(super) fn remove_unfinished(&self) -> Result<(), ImportError> {
        for ending in ["", "-wal", "-shm", "-journal", ".ndjson"] {
            match fs::remove_file(with_ending(&self.new, ending)) {
                Err(err) if err.kind() != io::ErrorKind::NotFound => {
                    return Err(ImportError::files("remove what an interrupted migration left")(err));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Gives the old file its second name, `<database>.python-0.1.0.bak`, under which it stays.
    pub(super) fn link_backup(&self) -> Result<PathBuf, ImportError> {
        let backup = self
            .link_unused(&self.database, ".python-0.1.0", ".bak")
            .map_err(ImportError::files("link the old file as backup"))?;
        // Synced before the database's name leads elsewhere: a power cut must not leave the old file without a name.
        self.sync_folder()?;
        Ok(backup)
    }

    /// Gives the rows that were set aside their lasting name, `<database>.not-migrated.ndjson`.
    pub(super) fn name_set_aside(&self) -> Result<PathBuf, ImportError> {
        self.link_unused(&self.unfinished_set_aside, ".not-migrated", ".ndjson")
            .and_then(|path| fs::remove_file(&self.unfinished_set_aside).map(|()| path))
            .map_err(ImportError::files("name the rows that are set aside"))
    }

    /// The step: the new file takes the database's name. The old one keeps its backup's name.
    pub(super) fn put_in_place(&self) -> Result<(), ImportError> {
        self.sync_folder()?;
        fs::rename(&self.new, &self.database).map_err(ImportError::files("put the new file in its place"))
    }

    pub(super) fn sync_folder(&self) -> Result<(), ImportError> {
        sync(self.database.parent().unwrap_or(Path::new(".")))
    }

    /// Links `file` as `<database><stem><ending>`, with a number between the two if another file has that name. A link
    /// never takes the place of a file. If an interrupted migration has made the link, it stays.
    fn link_unused(&self, file: &Path, stem: &str, ending: &str) -> io::Result<PathBuf> {
        for number in 1..=MAX_NUMBER {
            let number = if number == 1 { String::new() } else { format!(".{number}") };
            let path = with_ending(&self.database, &format!("{stem}{number}{ending}"));
            match fs::hard_link(file, &path) {
                Ok(()) => return Ok(path),
                Err(err) if err.kind() != io::ErrorKind::AlreadyExists => return Err(err),
                Err(_) if is_same_file(file, &path)? => return Ok(path),
                Err(_) => {}
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Syncs a file or a folder.
pub(super) fn sync(path: &Path) -> Result<(), ImportError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(ImportError::files("sync what was written"))
}

/// Refuses a database with a write-ahead log beside it: SQLite would replay it into whatever bears the name next.
pub(super) fn expect_no_log(database: &Path) -> Result<(), ImportError> {
    let log = with_ending(database, "-wal");
    match fs::symlink_metadata(&log) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => Err(ImportError::InTheWay(log)),
    }
}

#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let (one, other) = (fs::symlink_metadata(one)?, fs::symlink_metadata(other)?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

#[cfg(not(unix))]
fn is_same_file(_: &Path, _: &Path) -> io::Result<bool> {
    Ok(false)
}

/// The bytes that this user may still write where the database is; none if the system does not say.
pub(super) fn free_bytes(database: &Path) -> Result<Option<u64>, ImportError> {
    free_disk_bytes(database).map_err(ImportError::files("ask how much of the disk is free"))
}
