//! A disk that forgets: it keeps what was synced, and of the rest what chance has written already.

use std::collections::BTreeMap;
use std::ops::Range;

use fastrand::Rng;

use super::calls::Call;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// How much of what was not synced a power cut leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing.
    Nothing,
    /// The beginning, up to somewhere within a write.
    Beginning,
    /// Each sector, and each name, with one chance in two.
    Half,
}

impl Left {
    pub(super) const ALL: [Self; 3] = [Self::Nothing, Self::Beginning, Self::Half];
}

/// Files by name, as a power cut leaves them.
pub(super) type Image = BTreeMap<String, Vec<u8>>;

/// The folder of a database, on a disk and in the memory of the system.
#[derive(Debug, Default)]
pub(super) struct Disk {
    files: Vec<File>,
    /// The names that are on the disk.
    names: BTreeMap<String, usize>,
    /// The names that programs see.
    current: BTreeMap<String, usize>,
    unsynced_names: Vec<(usize, NameChange)>,
}

#[derive(Debug, Default)]
struct File {
    synced: Vec<u8>,
    unsynced: Vec<(usize, Change)>,
}

#[derive(Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { length: usize },
}

#[derive(Debug, Clone)]
enum NameChange {
    Add(String, usize),
    Remove(String),
}

impl Disk {
    /// Takes the call with this number.
    pub(super) fn take(&mut self, number: usize, call: &Call) {
        match call {
            Call::Create { name } => {
                if !self.current.contains_key(name) {
                    self.files.push(File::default());
                    let file = self.files.len() - 1;
                    self.current.insert(name.clone(), file);
                    self.unsynced_names.push((number, NameChange::Add(name.clone(), file)));
                }
            }
            Call::Unlink { name } => {
                if self.current.remove(name).is_some() {
                    self.unsynced_names.push((number, NameChange::Remove(name.clone())));
                }
            }
            Call::Write { name, offset, bytes } => {
                self.change(number, name, Change::Write { offset: *offset, bytes: bytes.clone() });
            }
            Call::Truncate { name, length } => self.change(number, name, Change::Truncate { length: *length }),
            Call::Sync { name, begun } if name.is_empty() => {
                let synced = self.unsynced_names.partition_point(|(number, _)| number < begun);
                for (_, change) in self.unsynced_names.drain(..synced) {
                    apply_name(&mut self.names, &change);
                }
            }
            Call::Sync { name, begun } => {
                if let Some(file) = self.current.get(name).and_then(|file| self.files.get_mut(*file)) {
                    let synced = file.unsynced.partition_point(|(number, _)| number < begun);
                    for (_, change) in file.unsynced.drain(..synced) {
                        change.apply(&mut file.synced);
                    }
                }
            }
            Call::Answer { .. } => {}
        }
    }

    fn change(&mut self, number: usize, name: &str, change: Change) {
        if let Some(file) = self.current.get(name).and_then(|file| self.files.get_mut(*file)) {
            file.unsynced.push((number, change));
        }
    }

    /// The files that a power cut leaves now.
    pub(super) fn image(&self, left: Left, chance: &mut Rng) -> Image {
        let mut numbers: Vec<usize> =
            self.files.iter().flat_map(|file| &file.unsynced).map(|(number, _)| *number).collect();
        numbers.extend(self.unsynced_names.iter().map(|(number, _)| *number));
        numbers.sort_unstable();
        // Changes before this one are on the disk, this one in part.
        let end = match left {
            Left::Beginning if !numbers.is_empty() => numbers[chance.usize(..numbers.len())],
            _ => 0,
        };
        let mut names = self.names.clone();
        for (number, change) in &self.unsynced_names {
            let is_there = match left {
                Left::Nothing => false,
                Left::Beginning => *number < end,
                Left::Half => chance.bool(),
            };
            if is_there {
                apply_name(&mut names, change);
            }
        }
        let content = |file: &File, chance: &mut Rng| {
            let mut bytes = file.synced.clone();
            for (number, change) in &file.unsynced {
                match left {
                    Left::Beginning if *number < end => change.apply(&mut bytes),
                    Left::Beginning if *number == end => change.apply_begin(&mut bytes, chance),
                    Left::Half => change.apply_half(&mut bytes, chance),
                    Left::Nothing | Left::Beginning => {}
                }
            }
            bytes
        };
        let files = names.into_iter().filter_map(|(name, file)| Some((name, self.files.get(file)?)));
        files.map(|(name, file)| (name, content(file, chance))).collect()
    }
}

fn apply_name(names: &mut BTreeMap<String, usize>, change: &NameChange) {
    match change {
        NameChange::Add(name, file) => names.insert(name.clone(), *file),
        NameChange::Remove(name) => names.remove(name),
    };
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => write(file, *offset, bytes),
            Self::Truncate { length } => file.resize(*length, 0),
        }
    }

    /// The first sectors of it.
    fn apply_begin(&self, file: &mut Vec<u8>, chance: &mut Rng) {
        if let Self::Write { offset, bytes } = self {
            let parts = sectors(*offset, bytes.len());
            for part in parts.iter().take(chance.usize(..=parts.len())) {
                write(file, offset + part.start, &bytes[part.clone()]);
            }
        }
    }

    /// Some of its sectors.
    fn apply_half(&self, file: &mut Vec<u8>, chance: &mut Rng) {
        match self {
            Self::Write { offset, bytes } => {
                for part in sectors(*offset, bytes.len()) {
                    if chance.bool() {
                        write(file, offset + part.start, &bytes[part]);
                    }
                }
            }
            Self::Truncate { .. } => {
                if chance.bool() {
                    self.apply(file);
                }
            }
        }
    }
}

fn write(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[offset..end].copy_from_slice(bytes);
}

/// The parts of a write that lie in one sector each.
fn sectors(offset: usize, length: usize) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    while start < length {
        let end = ((offset + start) / SECTOR + 1) * SECTOR - offset;
        parts.push(start..end.min(length));
        start = end;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> String {
        "a".to_owned()
    }

    fn played(calls: &[Call]) -> Disk {
        let mut disk = Disk::default();
        for (number, call) in calls.iter().enumerate() {
            disk.take(number, call);
        }
        disk
    }

    fn written(byte: u8, sectors: usize) -> Call {
        Call::Write { name: name(), offset: 0, bytes: vec![byte; sectors * SECTOR] }
    }

    fn synced(begun: usize) -> [Call; 2] {
        [Call::Sync { name: name(), begun }, Call::Sync { name: String::new(), begun }]
    }

    #[test]
    fn what_was_synced_stays_and_what_was_not_may_go() {
        let [file, folder] = synced(2);
        let disk = played(&[Call::Create { name: name() }, written(1, 2), file, folder, written(2, 2)]);
        let mut chance = Rng::with_seed(1);
        assert_eq!(disk.image(Left::Nothing, &mut chance)["a"], [1; 2 * SECTOR]);
        let mut seen = [0; 4];
        for _ in 0..200 {
            for left in [Left::Beginning, Left::Half] {
                let image = disk.image(left, &mut chance);
                let sector = |number: usize| {
                    let bytes = &image["a"][number * SECTOR..(number + 1) * SECTOR];
                    assert!(bytes.iter().all(|byte| *byte == bytes[0]), "a sector is whole");
                    usize::from(bytes[0] - 1)
                };
                let kind = sector(0) + 2 * sector(1);
                assert!(left == Left::Half || kind != 2, "a beginning begins at the beginning");
                seen[kind] += 1;
            }
        }
        assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
    }

    #[test]
    fn a_name_needs_a_sync_of_its_folder() {
        let [file, folder] = synced(2);
        let made = [Call::Create { name: name() }, written(1, 1), file];
        let mut chance = Rng::with_seed(1);
        assert!(played(&made).image(Left::Nothing, &mut chance).is_empty());
        let kept = [&made[..], &[folder, Call::Unlink { name: name() }]].concat();
        assert_eq!(played(&kept).image(Left::Nothing, &mut chance)["a"], [1; SECTOR]);
        let counts: Vec<usize> = (0..100).map(|_| played(&kept).image(Left::Half, &mut chance).len()).collect();
        assert!(counts.contains(&0) && counts.contains(&1), "the deletion may or may not have come to pass");
    }

    #[test]
    fn a_sync_leaves_out_what_began_after_it() {
        let disk = played(&[
            Call::Create { name: name() },
            Call::Sync { name: String::new(), begun: 1 },
            written(1, 1),
            written(2, 1),
            Call::Sync { name: name(), begun: 3 },
        ]);
        assert_eq!(disk.image(Left::Nothing, &mut Rng::with_seed(1))["a"], [1; SECTOR]);
    }

    #[test]
    fn sectors_follow_the_file_and_not_the_write() {
        assert_eq!(sectors(500, 30), [0..12, 12..30]);
        assert_eq!(sectors(512, 1024), [0..512, 512..1024]);
        assert_eq!(sectors(0, 0), [0..0; 0]);
    }
}
