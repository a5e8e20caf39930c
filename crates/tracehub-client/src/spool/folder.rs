//! The spool's folder: each client has a folder of its own in it, locked while it lives; folders that nobody locks are
//! those of processes that have ended, and are taken over.

use std::fs::{self, DirBuilder, DirEntry, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::segment;

const LOCK: &str = "lock";
const SEGMENT: &str = "segment";
/// How many digits the names of folders and segments have.
const NAME_DIGITS: usize = 16;
/// Tries to make a folder of its own before giving up: each fails only if another process made the same at that moment.
const TRIES: u32 = 16;
/// The most folders that are taken over at a time: each keeps a file open, and files are the host's to open.
const MOST_AT_A_TIME: usize = 32;

/// A folder that this process holds.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

/// A segment that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) entries: u64,
    pub(super) length: u64,
}

impl Folder {
    /// Makes a folder of its own below `root`.
    pub(super) fn create(root: &Path, name: impl Fn() -> u64) -> io::Result<Self> {
        private_folder().recursive(true).create(root)?;
        for _ in 0..TRIES {
            let path = root.join(format!("{:0NAME_DIGITS$x}", name()));
            match private_folder().create(&path) {
                Err(err) if err.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            // Another process may take it for an abandoned one between these two lines, and delete it.
            let lock = File::create(path.join(LOCK))?;
            if let Some(folder) = Self::hold(path, lock)? {
                return Ok(folder);
            }
        }
        Err(io::Error::other("no folder of its own could be made"))
    }

    /// Holds a folder by its lock; none if another process holds it, or has deleted it.
    fn hold(path: PathBuf, lock: File) -> io::Result<Option<Self>> {
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(err)) => return Err(err),
        }
        // Only who holds a folder deletes it, so what is there now stays.
        Ok(path.join(LOCK).exists().then_some(Self { path, _lock: lock }))
    }

    /// Takes over folders below `root` whose processes have ended, oldest first; says whether there may be more.
    ///
    /// What cannot be looked at is left alone: a start must not fail because of what lies there.
    pub(super) fn take_over(root: &Path) -> (Vec<Self>, bool) {
        let mut folders: Vec<_> =
            fs::read_dir(root).into_iter().flatten().flatten().filter_map(|entry| candidate(&entry)).collect();
        folders.sort();
        let mut abandoned = Vec::new();
        for (_, path) in folders {
            if abandoned.len() == MOST_AT_A_TIME {
                return (abandoned, true);
            }
            let lock = File::options().write(true).open(path.join(LOCK));
            if let Some(folder) = lock.and_then(|lock| Self::hold(path, lock)).ok().flatten() {
                folder.delete_halves();
                abandoned.push(folder);
            }
        }
        (abandoned, false)
    }

    /// Deletes what a process that was killed had not written to its end.
    fn delete_halves(&self) {
        for entry in self.entries().filter(|entry| is_named(&entry.path(), segment::UNFINISHED)) {
            let _ = fs::remove_file(entry.path());
        }
    }

    /// Its segments, in the order they were written.
    pub(super) fn segments(&self) -> Vec<Found> {
        let lengths = self.segment_entries().filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.len())));
        let mut found: Vec<_> = lengths.collect();
        // Names have a fixed width.
        found.sort();
        let found = found.into_iter();
        found.map(|(path, length)| Found { entries: segment::count(&path).unwrap_or(0), path, length }).collect()
    }

    fn segment_entries(&self) -> impl Iterator<Item = DirEntry> {
        let is_file = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
        self.entries().filter(move |entry| is_named(&entry.path(), SEGMENT) && is_file(entry))
    }

    fn entries(&self) -> impl Iterator<Item = DirEntry> {
        fs::read_dir(&self.path).into_iter().flatten().flatten()
    }

    /// Where its segment of this number lies.
    pub(super) fn segment(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:0NAME_DIGITS$x}.{SEGMENT}"))
    }

    /// Gives it up for good, unless there are segments left for a later process. What was set aside stays.
    pub(super) fn retire(self) {
        if self.segment_entries().next().is_none() {
            // Without a lock nobody takes it over again, should something be left in it.
            let _ = fs::remove_file(self.path.join(LOCK));
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// A folder that may be one of the spool, with its age. One without a lock is being made, or is finished with.
fn candidate(entry: &DirEntry) -> Option<(Option<SystemTime>, PathBuf)> {
    let path = entry.path();
    let is_ours = path.extension().is_none() && is_number(&path) && entry.file_type().ok()?.is_dir();
    let lock = fs::symlink_metadata(path.join(LOCK)).ok().filter(|lock| is_ours && lock.is_file())?;
    Some((lock.modified().ok(), path))
}

fn is_named(path: &Path, extension: &str) -> bool {
    is_number(path) && path.extension().is_some_and(|is| is == extension)
}

fn is_number(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    stem.len() == NAME_DIGITS && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Only its owner may look into it: checkpoints say what a service does.
fn private_folder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}
