//! A file of entries, one JSON object a line. It has its name only when it is whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use tracehub_client::TraceEntry;

use super::{json, progress};

/// A file under way; dropped before its end, it is gone.
pub(crate) struct EntryFile {
    path: PathBuf,
    part: PathBuf,
    out: BufWriter<File>,
    entries: u64,
    finished: bool,
}

impl EntryFile {
    /// Begins the file beside its place.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let out = BufWriter::new(File::create(&part)?);
        Ok(Self { path: path.to_owned(), part, out, entries: 0, finished: false })
    }

    pub(crate) fn line(&mut self, entry: &TraceEntry) -> io::Result<()> {
        self.entries += 1;
        self.out.write_all(&json::one_line(json::entry(entry)))?;
        self.out.write_all(b"\n")
    }

    /// Puts the whole file in its place, and says so.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        fs::rename(&self.part, &self.path)?;
        self.finished = true;
        progress::wrote(self.entries, &self.path);
        Ok(())
    }
}

impl Drop for EntryFile {
    fn drop(&mut self) {
        if !self.finished {
            // What cannot be removed is still not where a whole file would be.
            let _ = fs::remove_file(&self.part);
        }
    }
}
