//! The spool: entries on disk until the server has them. Blocking, but never long: files of some kilobytes.
//!
//! Everything that the worker takes from the queue becomes a [`segment`] within some 20 ms, and the server gets it from
//! there. So a process that is killed loses what it logged in its last moments at the most, and an outage fills the disk,
//! up to a bound, and not memory. `folder` says whose segments are whose, `worker` moves entries in and out.

mod folder;
mod segment;
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

/// What lies on disk, oldest first.
#[derive(Debug)]
pub(crate) struct Spool {
    own: Folder,
    taken_over: Vec<Folder>,
    segments: VecDeque<Segment>,
    /// The segments that are being sent: the oldest ones, no longer among `segments`.
    sending: Vec<Segment>,
    /// The entries of `segments`, and those of them that ended processes have left.
    waiting: u64,
    waiting_of_earlier: u64,
    /// Of all segments, those that are being sent included.
    bytes: u64,
    max_bytes: u64,
    next_number: u64,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    entries: u64,
    bytes: u64,
    owner: Owner,
}

/// Something that happened to entries on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
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
    /// Opens the spool in a folder, which is made if need be, and takes over what ended processes left there. At most
    /// `max_bytes` are kept.
    pub(crate) fn open(root: &Path, max_bytes: u64) -> io::Result<Self> {
        let own = Folder::create(root, || format!("{:016x}", correlation::random_bits()))?;
        let mut segments = VecDeque::new();
        let mut taken_over = Vec::new();
        for folder in Folder::take_over(root)? {
            let found = folder.segments()?.into_iter();
            segments.extend(found.map(|found| Segment {
                path: found.path,
                entries: found.entries,
                bytes: on_disk(found.bytes),
                owner: Owner::Earlier,
            }));
            taken_over.push(folder);
        }
        let bytes = segments.iter().map(|segment: &Segment| segment.bytes).sum();
        let waiting = segments.iter().map(|segment| segment.entries).sum();
        Ok(Self {
            own,
            taken_over,
            segments,
            sending: Vec::new(),
            waiting,
            waiting_of_earlier: waiting,
            bytes,
            max_bytes,
            next_number: 0,
        })
    }

    /// The entries that wait, those that are being sent not included.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// The waiting entries that ended processes have left.
    pub(crate) fn waiting_of_earlier(&self) -> u64 {
        self.waiting_of_earlier
    }

    /// Takes the oldest segment off the list.
    fn pop(&mut self, wanted: impl FnOnce(&Segment) -> bool) -> Option<Segment> {
        let segment = self.segments.front().is_some_and(wanted).then(|| self.segments.pop_front()).flatten()?;
        self.waiting -= segment.entries;
        if segment.owner == Owner::Earlier {
            self.waiting_of_earlier -= segment.entries;
        }
        Some(segment)
    }

    /// Writes entries to disk. What is oldest makes room for them.
    pub(crate) fn append(&mut self, batch: &Batch, events: &mut Vec<Event>) -> io::Result<()> {
        let encoded = segment::encode(batch);
        let bytes = on_disk(encoded.len() as u64);
        while self.bytes + bytes > self.max_bytes
            && let Some(oldest) = self.pop(|_| true)
        {
            self.bytes -= oldest.bytes;
            remove(&oldest.path)?;
            events.push(Event::Evicted { owner: oldest.owner, entries: oldest.entries });
        }
        let path = self.own.segment(self.next_number);
        segment::write(&path, &encoded)?;
        self.next_number += 1;
        self.bytes += bytes;
        self.waiting += batch.len() as u64;
        self.segments.push_back(Segment { path, entries: batch.len() as u64, bytes, owner: Owner::Spool });
        Ok(())
    }

    /// The oldest entries, as many as one request may carry. They stay on disk until [`finish`](Self::finish).
    pub(crate) fn next(&mut self, events: &mut Vec<Event>) -> Option<Next> {
        let mut batch = Batch::default();
        let owner = self.segments.front()?.owner;
        while let Some(segment) = self.pop(|segment| {
            let fits = batch.len() as u64 + segment.entries <= MAX_GROWN_ENTRIES as u64
                && batch.bytes() + usize::try_from(segment.bytes).unwrap_or(usize::MAX) <= MAX_BATCH_BYTES;
            segment.owner == owner && (batch.is_empty() || fits)
        }) {
            let read = fs::read(&segment.path).map_err(|err| err.to_string());
            match read.and_then(|bytes| segment::decode(&bytes, &mut batch).map_err(|damage| damage.to_string())) {
                Ok(()) => self.sending.push(segment),
                Err(reason) => {
                    self.bytes -= segment.bytes;
                    let _ = fs::rename(&segment.path, segment.path.with_extension("corrupt"));
                    events.push(Event::Damaged { owner: segment.owner, entries: segment.entries, reason });
                }
            }
        }
        (!batch.is_empty()).then_some(Next { batch, owner })
    }

    /// Deletes what was sent.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let mut outcome = Ok(());
        for segment in std::mem::take(&mut self.sending) {
            self.bytes -= segment.bytes;
            outcome = outcome.and(remove(&segment.path));
        }
        if self.waiting_of_earlier == 0 {
            std::mem::take(&mut self.taken_over).into_iter().for_each(Folder::remove_if_empty);
        }
        outcome
    }

    /// Leaves what is there to a later process; what is empty is deleted.
    pub(crate) fn close(self) {
        self.taken_over.into_iter().for_each(Folder::remove_if_empty);
        self.own.remove_if_empty();
    }
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
