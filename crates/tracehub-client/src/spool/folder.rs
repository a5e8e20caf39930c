//! The spool's folder: each client has a folder of its own in it, locked while it lives; folders that nobody locks are
//! those of processes that have ended, and are taken over.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::segment;

const LOCK: &str = "lock";
const SEGMENT: &str = "segment";
/// Tries to make a folder of its own before giving up: each fails only if another process made the same at that moment.
const TRIES: u32 = 16;

/// A folder that this process holds.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    _lock: File,
}

/// A segment that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

impl Folder {
    /// Makes a folder of its own below `root`.
    pub(super) fn create(root: &Path, name: impl Fn() -> String) -> io::Result<Self> {
        private_folder().recursive(true).create(root)?;
        for _ in 0..TRIES {
            let path = root.join(name());
            match private_folder().create(&path) {
                Err(err) if err.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            let lock = File::create(path.join(LOCK))?;
            // Another process may take an unlocked folder for an abandoned one between these two lines.
            match lock.try_lock() {
                Ok(()) => return Ok(Self { path, _lock: lock }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(err)) => return Err(err),
            }
        }
        Err(io::Error::other("no folder of its own could be made"))
    }

    /// Takes over the folders below `root` whose processes have ended, oldest first.
    pub(super) fn take_over(root: &Path) -> io::Result<Vec<Self>> {
        let mut abandoned = Vec::new();
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            // A folder without a lock is being made, or is not ours.
            let Ok(lock) = File::options().write(true).open(entry.path().join(LOCK)) else { continue };
            if lock.try_lock().is_ok() {
                let modified = lock.metadata().and_then(|metadata| metadata.modified()).ok();
                abandoned.push((modified, Self { path: entry.path(), _lock: lock }));
            }
        }
        abandoned.sort_by_key(|(modified, _)| *modified);
        Ok(abandoned.into_iter().map(|(_, folder)| folder).collect())
    }

    /// Its segments, in the order they were written.
    pub(super) fn segments(&self) -> io::Result<Vec<Found>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|extension| extension == SEGMENT) {
                paths.push((entry.path(), entry.metadata()?.len()));
            }
        }
        // Names have a fixed width.
        paths.sort();
        let found = |(path, bytes): (PathBuf, u64)| Found { entries: segment::count(&path).unwrap_or(0), path, bytes };
        Ok(paths.into_iter().map(found).collect())
    }

    /// Where its segment of this number lies.
    pub(super) fn segment(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:016x}.{SEGMENT}"))
    }

    /// Deletes it, if no segment is left in it. What was set aside stays.
    pub(super) fn remove_if_empty(self) {
        let only_lock = fs::read_dir(&self.path).is_ok_and(|entries| entries.count() == 1);
        if only_lock {
            let _ = fs::remove_file(self.path.join(LOCK));
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Only its owner may look into it: checkpoints say what a service does.
fn private_folder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}
