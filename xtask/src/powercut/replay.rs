//! From crash point to crash point: plays the calls back, builds what each power cut leaves, and counts what is missing.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;

use super::calls::Call;
use super::disk::{Disk, Left};
use super::judge::judge;
use super::load;
use super::record::Recording;
use crate::process::Interrupt;

/// The name of SQLite's log.
const LOG: &str = "tracehub.db-wal";
/// How long the header of each of its pages is; the page follows with the next write.
const FRAME_HEADER: usize = 24;

/// What was found on all images.
#[derive(Debug, Default)]
pub(super) struct Findings {
    requests: u32,
    calls: usize,
    images: u32,
    /// Images that lack a batch that was answered, and how many batches those are, in all and at most.
    losing: u32,
    lost: u32,
    most_lost: u32,
    broken: u32,
    halves: u32,
    alarms: u32,
    /// Batches whose answer was on its way before their commit was synced.
    hasty: u32,
    /// The first few images that are not as they should be.
    examples: Vec<String>,
    /// Those whose database is broken.
    pub(super) damages: Vec<String>,
}

impl Findings {
    pub(super) fn heading() -> String {
        format!(
            "{:10}  {:>8}  {:>8}  {:>6}  {:>17}  {:>12}  {:>10}  {:>7}  {:>12}  {:>12}",
            "durability",
            "requests",
            "calls",
            "images",
            "images with a loss",
            "batches lost",
            "at most",
            "corrupt",
            "half batches",
            "hasty answers"
        )
    }

    pub(super) fn row(&self, durability: &str) -> String {
        let Self { requests, calls, images, losing, lost, most_lost, broken, halves, hasty, .. } = self;
        format!(
            "{durability:10}  {requests:8}  {calls:8}  {images:6}  {losing:18}  {lost:12}  {most_lost:10}  {broken:7}  {halves:12}  {hasty:13}"
        )
    }

    /// Whether everything is as it was promised.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn check(&self) -> Result<()> {
        ensure!(
            self.lost == 0 && self.broken == 0 && self.halves == 0 && self.hasty == 0 && self.alarms == 0,
            "a power cut loses what was answered, or leaves what it should not ({} false alarms):\n{}",
            self.alarms,
            self.examples.join("\n")
        );
        Ok(())
    }

    fn note(&mut self, example: impl FnOnce() -> String) {
        if self.examples.len() < 5 {
            self.examples.push(example());
        }
    }
}

/// Cuts the power at chosen moments, so that there are as many images.
pub(super) fn replay(recording: &Recording, images: u32, seed: u64, interrupt: &Interrupt) -> Result<Findings> {
    let mut chance = Rng::with_seed(seed);
    let mut answers = Answers::expected(recording);
    let mut findings = Findings { requests: recording.requests, calls: recording.calls.len(), ..Findings::default() };
    let points = crash_points(&recording.calls, images.div_ceil(3) as usize, &mut chance);
    let folder = memory_folder().context("cannot make a temporary folder")?;
    let mut disk = Disk::default();
    let mut commits = Commits::default();
    for (number, call) in recording.calls.iter().enumerate() {
        disk.take(number, call);
        commits.take(number, call);
        if let Call::Answer { port } = call
            && let Some(batch) = answers.next(*port)
            && !commits.is_synced(batch)
        {
            findings.hasty += 1;
            findings.note(|| format!("call {number}: batch {batch} was answered before its commit was synced"));
        }
        if !points.contains(&number) {
            continue;
        }
        interrupt.check()?;
        for left in Left::ALL {
            if findings.images == images {
                break;
            }
            let verdict = judge(&disk.image(left, &mut chance), &answers.given, &folder.path().join("image"))?;
            findings.images += 1;
            findings.losing += u32::from(verdict.lost > 0);
            findings.lost += verdict.lost;
            findings.most_lost = findings.most_lost.max(verdict.lost);
            findings.halves += verdict.halves;
            findings.broken += u32::from(verdict.broken.is_some());
            findings.alarms += u32::from(verdict.alarm);
            if let Some(reason) = &verdict.broken {
                findings.damages.push(format!("cut after call {number} ({left:?}): {reason}"));
            }
            if verdict != super::judge::Verdict::default() {
                findings.note(|| format!("cut after call {number} ({left:?}): {verdict:?}"));
            }
        }
    }
    ensure!(answers.is_complete(), "the log of strace lacks answers that the clients got");
    Ok(findings)
}

/// A folder for images that is forgotten as soon as they are judged: in memory, where the system has such a place.
fn memory_folder() -> io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}

/// Moments at which the power is cut: after any call, and as often around the syncs, where most is at stake.
fn crash_points(calls: &[Call], count: usize, chance: &mut Rng) -> BTreeSet<usize> {
    let syncs: Vec<usize> = (0..calls.len()).filter(|&place| matches!(calls[place], Call::Sync { .. })).collect();
    let mut points = BTreeSet::new();
    while points.len() < count.min(calls.len()) {
        let place = match chance.choice(&syncs) {
            Some(sync) if chance.bool() => sync.saturating_sub(chance.usize(..3)),
            _ => chance.usize(..calls.len()),
        };
        points.insert(place);
    }
    points
}

/// Which batch is answered next on each connection.
struct Answers<'a> {
    next: HashMap<u16, std::slice::Iter<'a, u32>>,
    /// For each batch, whether its answer was on its way.
    given: Vec<bool>,
}

impl<'a> Answers<'a> {
    fn expected(recording: &'a Recording) -> Self {
        let next = recording.sent.iter().map(|sent| (sent.port, sent.batches.iter())).collect();
        Self { next, given: vec![false; recording.requests as usize] }
    }

    fn next(&mut self, port: u16) -> Option<u32> {
        let batch = *self.next.get_mut(&port)?.next()?;
        *self.given.get_mut(batch as usize)? = true;
        Some(batch)
    }

    fn is_complete(&self) -> bool {
        self.given.iter().all(|given| *given)
    }
}

/// When the commit of each batch was written to the log, and how far the log was synced.
#[derive(Debug, Default)]
struct Commits {
    /// The number of the write that ended the commit.
    written: HashMap<u32, usize>,
    /// Batches that were named by pages of the commit that is being written.
    under_way: Vec<u32>,
    /// Whether the header that was written last ends a commit.
    ends: bool,
    synced: usize,
}

impl Commits {
    fn take(&mut self, number: usize, call: &Call) {
        match call {
            Call::Write { name, bytes, .. } if name == LOG && bytes.len() == FRAME_HEADER => {
                // The size of the database after it; zero on any page but the last.
                self.ends = bytes[4..8] != [0; 4];
            }
            Call::Write { name, bytes, .. } if name == LOG => {
                let Self { written, under_way, .. } = self;
                under_way.extend(load::named(bytes).filter(|batch| !written.contains_key(batch)));
                if std::mem::take(&mut self.ends) {
                    for batch in self.under_way.drain(..) {
                        self.written.insert(batch, number);
                    }
                }
            }
            Call::Sync { name, begun } if name == LOG => self.synced = *begun,
            _ => {}
        }
    }

    fn is_synced(&self, batch: u32) -> bool {
        self.written.get(&batch).is_some_and(|number| *number < self.synced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(bytes: Vec<u8>) -> Call {
        Call::Write { name: LOG.to_owned(), offset: 0, bytes }
    }

    fn header(ends: bool) -> Call {
        logged([[0; 4], [0, 0, 0, u8::from(ends)]].concat().into_iter().chain([0; 16]).collect())
    }

    fn page(batch: u32) -> Call {
        logged(format!("…{}…", load::chain(batch)).into_bytes())
    }

    #[test]
    fn a_batch_is_synced_with_the_end_of_its_commit() {
        let mut commits = Commits::default();
        let sync = |begun| Call::Sync { name: LOG.to_owned(), begun };
        let calls = [header(false), page(1), sync(2), header(true), page(2), sync(5)];
        let synced = calls.iter().enumerate().map(|(number, call)| {
            commits.take(number, call);
            (commits.is_synced(1), commits.is_synced(2))
        });
        let expected = [(false, false); 5].into_iter().chain([(true, true)]);
        assert!(synced.eq(expected));
    }

    #[test]
    fn the_same_seed_cuts_at_the_same_places() {
        let calls = vec![Call::Answer { port: 1 }; 500];
        let points = |seed| crash_points(&calls, 40, &mut Rng::with_seed(seed));
        assert_eq!(points(3), points(3));
        assert_eq!(points(3).len(), 40);
        assert_ne!(points(3), points(4));
    }
}
