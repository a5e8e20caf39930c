//! The spool: entries on disk until the server has them. Blocking, but never long: files of some kilobytes.
//!
//! Everything that the worker takes from the queue becomes a [`segment`] within some 20 ms, and the server gets it from
//! there. So a process that is killed loses what it logged in its last moments at the most, and an outage fills the disk,
//! up to a bound, and not memory. `folder` says whose segments are whose, `worker` moves entries in and out, `compact`
//! keeps the files few.

mod compact;
mod folder;
pub(crate) mod segment;
#[cfg(test)]
mod tests;
pub(crate) mod worker;

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use self::folder::Folder;
use crate::batch::{Batch, MAX_BATCH_BYTES, MAX_GROWN_ENTRIES};
use crate::correlation;
use crate::delivery::Owner;

/// A file takes whole blocks of most file systems.
const BLOCK_BYTES: u64 = 4 << 10;
/// How often a segment that cannot be read, for a reason that may pass, is tried before it is given up.
const READ_TRIES: u32 = 25;

/// What lies on disk, oldest first.
#[derive(Debug)]
pub(crate) struct Spool {
    root: PathBuf,
    own: Folder,
    taken_over: Vec<Folder>,
    /// There may be more to take over than was.
    has_more: bool,
    /// Those of earlier processes, then its own.
    segments: VecDeque<Segment>,
    /// How many of them are of earlier processes.
    earlier: usize,
    /// How many of its own, the oldest ones, need no merging any more.
    compact: usize,
    /// The segments that are being sent: the oldest ones, no longer among `segments`.
    sending: Vec<Segment>,
    /// The entries of `segments`.
    waiting: u64,
    /// Of all segments, those that are being sent included.
    bytes: u64,
    max_bytes: u64,
    next_number: u64,
    /// How often the oldest segment could not be read.
    failed_reads: u32,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    entries: u64,
    length: u64,
    owner: Owner,
}

impl Segment {
    /// What it takes on disk.
    fn bytes(&self) -> u64 {
        on_disk(self.length)
    }
}

/// Something that happened to entries on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Entries of earlier processes were taken over.
    Found { entries: u64 },
    /// A segment had to make room.
    Evicted { owner: Owner, entries: u64 },
    /// A segment is not what was written; it is set aside.
    Damaged { owner: Owner, entries: u64, reason: String },
}

/// What is sent next.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) batch: Batch,
    pub(crate) owner: Owner,
}

impl Spool {
    /// Opens the spool in a folder, which is made if need be. At most `max_bytes` are kept, give or take a segment.
    pub(crate) fn open(root: &Path, max_bytes: u64) -> io::Result<Self> {
        Ok(Self {
            root: root.to_owned(),
            own: Folder::create(root, correlation::random_bits)?,
            taken_over: Vec::new(),
            has_more: true,
            segments: VecDeque::new(),
            earlier: 0,
            compact: 0,
            sending: Vec::new(),
            waiting: 0,
            bytes: 0,
            max_bytes,
            next_number: 0,
            failed_reads: 0,
        })
    }

    /// Takes over what ended processes have left, if it is done with what it took over before.
    pub(crate) fn take_over(&mut self, events: &mut Vec<Event>) {
        if self.has_earlier() {
            return;
        }
        std::mem::take(&mut self.taken_over).into_iter().for_each(Folder::retire);
        if !self.has_more {
            return;
        }
        let (folders, has_more) = Folder::take_over(&self.root);
        let mut found = Vec::new();
        for folder in folders {
            let segments = folder.segments();
            if segments.is_empty() {
                folder.retire();
            } else {
                found.extend(segments);
                self.taken_over.push(folder);
            }
        }
        self.has_more = has_more;
        self.earlier = found.len();
        let entries = found.iter().map(|found| found.entries).sum();
        for found in found.into_iter().rev() {
            let (entries, length) = (found.entries, found.length);
            let segment = Segment { path: found.path, entries, length, owner: Owner::Earlier };
            self.bytes += segment.bytes();
            self.segments.push_front(segment);
        }
        self.waiting += entries;
        events.push(Event::Found { entries });
    }

    /// The entries that wait, those that are being sent not included.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Whether no segment waits. One that is damaged may count for no entries, and waits still.
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether segments wait that ended processes have left.
    pub(crate) fn has_earlier(&self) -> bool {
        self.earlier > 0
    }

    /// Takes the oldest segment off the list.
    fn pop(&mut self) -> Option<Segment> {
        let segment = self.segments.pop_front()?;
        self.waiting -= segment.entries;
        match segment.owner {
            Owner::Earlier => self.earlier -= 1,
            Owner::Queue | Owner::Spool => self.compact = self.compact.saturating_sub(1),
        }
        self.failed_reads = 0;
        Some(segment)
    }

    /// Writes entries to disk. What is oldest makes room for them.
    pub(crate) fn append(&mut self, batch: &Batch, events: &mut Vec<Event>) -> io::Result<()> {
        let encoded = segment::encode(batch);
        let length = encoded.len() as u64;
        while self.bytes + on_disk(length) > self.max_bytes
            && let Some(oldest) = self.pop()
        {
            // It is given up, also if it cannot be deleted; then it is a later process's to send.
            let _ = remove(&oldest.path);
            self.bytes -= oldest.bytes();
            events.push(Event::Evicted { owner: oldest.owner, entries: oldest.entries });
        }
        let mut path = self.own.segment(self.next_number);
        let mut written = segment::write(&path, &encoded);
        if written.as_ref().is_err_and(|err| err.kind() == io::ErrorKind::NotFound) {
            // Somebody has deleted the folder.
            self.own = Folder::create(&self.root, correlation::random_bits)?;
            path = self.own.segment(self.next_number);
            written = segment::write(&path, &encoded);
        }
        written?;
        self.next_number += 1;
        let segment = Segment { path, entries: batch.len() as u64, length, owner: Owner::Spool };
        self.bytes += segment.bytes();
        self.waiting += segment.entries;
        self.segments.push_back(segment);
        Ok(())
    }

    /// The oldest entries, as many as one request may carry. They stay on disk until [`finish`](Self::finish).
    ///
    /// # Errors
    /// The oldest segment cannot be read now. It is tried again next time, but not for ever.
    pub(crate) fn next(&mut self, events: &mut Vec<Event>) -> io::Result<Option<Next>> {
        let mut batch = Batch::default();
        let Some(owner) = self.segments.front().map(|segment| segment.owner) else { return Ok(None) };
        while let Some(segment) = self.segments.front()
            && segment.owner == owner
            && (batch.is_empty() || fits(&batch, segment))
        {
            let read = segment::read(&segment.path, &mut batch);
            self.failed_reads += u32::from(read.is_err());
            match read {
                Err(problem) if !problem.is_final() && self.failed_reads < READ_TRIES => {
                    if batch.is_empty() {
                        return Err(problem.into());
                    }
                    break;
                }
                read => {
                    let Some(segment) = self.pop() else { break };
                    match read {
                        Ok(()) => self.sending.push(segment),
                        Err(problem) => events.push(self.set_aside(&segment, problem.to_string())),
                    }
                }
            }
        }
        Ok((!batch.is_empty()).then_some(Next { batch, owner }))
    }

    fn set_aside(&mut self, segment: &Segment, reason: String) -> Event {
        self.bytes -= segment.bytes();
        let _ = fs::rename(&segment.path, segment.path.with_extension("corrupt"));
        Event::Damaged { owner: segment.owner, entries: segment.entries, reason }
    }

    /// Deletes what was sent.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let mut outcome = Ok(());
        for segment in std::mem::take(&mut self.sending) {
            self.bytes -= segment.bytes();
            outcome = outcome.and(remove(&segment.path));
        }
        outcome
    }

    /// Leaves what is there to a later process; what is empty is deleted.
    pub(crate) fn close(self) {
        self.taken_over.into_iter().for_each(Folder::retire);
        self.own.retire();
    }
}

/// Whether a segment goes into the same request.
fn fits(batch: &Batch, segment: &Segment) -> bool {
    batch.len() as u64 + segment.entries <= MAX_GROWN_ENTRIES as u64
        && batch.bytes() as u64 + segment.length <= MAX_BATCH_BYTES as u64
}

/// A file that is gone already is as good as deleted.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
        _ => Ok(()),
    }
}

fn on_disk(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK_BYTES)
}
