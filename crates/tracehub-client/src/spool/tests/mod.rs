//! The spool on a real disk: what it keeps, in which order, what it gives up, and what it makes of strange things there.

mod many;
mod worker;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tracehub_core::TraceEntry;
use tracehub_core::wire::ingest::IngestBatch;
use tracehub_core::wire::read::write_entry;

use super::*;

const LARGE: u64 = 256 << 20;

/// Entries of these numbers, as the queue would give them.
pub(super) fn batch(numbers: impl IntoIterator<Item = usize>) -> Batch {
    padded(numbers, 0)
}

fn padded(numbers: impl IntoIterator<Item = usize>, bytes: usize) -> Batch {
    let mut batch = Batch::default();
    for number in numbers {
        let entry = TraceEntry::builder("MA", "c1").suffix(number.to_string()).raw_line("x".repeat(bytes));
        let entry = entry.build().unwrap();
        batch.push(0, |json| write_entry(json, &entry.as_ref()));
    }
    batch
}

pub(super) fn numbers(body: &[u8]) -> Vec<usize> {
    let batch = IngestBatch::parse(body.to_vec()).unwrap();
    batch.entries().map(|entry| entry.suffix.parse().unwrap()).collect()
}

fn open(root: &TempDir) -> Spool {
    let mut spool = Spool::open(root.path(), LARGE).unwrap();
    spool.take_over(&mut Vec::new());
    spool
}

fn append(spool: &mut Spool, batch: &Batch) {
    spool.append(batch, &mut Vec::new()).unwrap();
    spool.compact().unwrap();
}

/// Sends everything: the numbers, and what happened.
fn drain(spool: &mut Spool) -> (Vec<usize>, Vec<Event>) {
    let (mut sent, mut events) = (Vec::new(), Vec::new());
    loop {
        spool.take_over(&mut events);
        if spool.is_empty() {
            return (sent, events);
        }
        if let Some(next) = spool.next(&mut events).unwrap() {
            sent.extend(numbers(&next.batch.body(0..next.batch.len())));
            spool.finish().unwrap();
        }
    }
}

/// Ends as a killed process does: nothing is tidied, only the locks go.
fn kill(spool: Spool) -> PathBuf {
    let folder = spool.own.segment(0);
    drop(spool);
    folder.parent().unwrap().to_owned()
}

/// A folder that a killed process has left, with one segment for each of these batches.
fn left_behind(root: &TempDir, batches: &[Batch]) -> PathBuf {
    let mut spool = Spool::open(root.path(), LARGE).unwrap();
    for batch in batches {
        append(&mut spool, batch);
    }
    kill(spool)
}

fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn segment_path(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("{number:016x}.segment"))
}

#[test]
fn what_a_killed_process_left_goes_first_and_all_in_order() {
    let root = tempfile::tempdir().unwrap();
    left_behind(&root, &[batch(0..3), batch(3..5)]);
    let mut spool = open(&root);
    append(&mut spool, &batch(5..7));
    append(&mut spool, &batch(7..9));
    let (sent, events) = drain(&mut spool);
    assert_eq!(sent, (0..9).collect::<Vec<_>>());
    assert_eq!(events, []);
    spool.close();
    assert_eq!(files(root.path()), Vec::<String>::new(), "nothing is left");
}

#[test]
fn who_lives_is_not_taken_over() {
    let root = tempfile::tempdir().unwrap();
    let mut living = open(&root);
    append(&mut living, &batch(0..3));
    let mut other = open(&root);
    assert!(other.is_empty());
    append(&mut other, &batch(3..5));
    assert_eq!(drain(&mut living).0, [0, 1, 2]);
    other.close();
    living.close();
    let mut third = open(&root);
    assert_eq!(drain(&mut third).0, [3, 4], "what a closed client left");
}

#[test]
fn the_oldest_make_room_and_are_counted() {
    let root = tempfile::tempdir().unwrap();
    left_behind(&root, &[batch(0..2)]);
    let mut spool = Spool::open(root.path(), 3 * BLOCK_BYTES).unwrap();
    let mut events = Vec::new();
    spool.take_over(&mut events);
    for number in 1..5 {
        spool.append(&batch(number * 2..number * 2 + 2), &mut events).unwrap();
    }
    let expected = [
        Event::Found { entries: 2 },
        Event::Evicted { owner: Owner::Earlier, entries: 2 },
        Event::Evicted { owner: Owner::Spool, entries: 2 },
    ];
    assert_eq!(events, expected);
    assert_eq!(drain(&mut spool).0, (4..10).collect::<Vec<_>>());
    assert_eq!(spool.bytes, 0);
}

#[test]
fn what_is_being_sent_is_not_evicted() {
    let root = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(root.path(), 2 * BLOCK_BYTES).unwrap();
    append(&mut spool, &batch(0..2));
    let mut events = Vec::new();
    let next = spool.next(&mut events).unwrap().unwrap();
    for number in 2..6 {
        spool.append(&batch(number..=number), &mut events).unwrap();
    }
    assert_eq!(numbers(&next.batch.body(0..2)), [0, 1]);
    assert!(segment_path(spool.own.segment(0).parent().unwrap(), 0).exists(), "until it is sent");
    assert_eq!(events, vec![Event::Evicted { owner: Owner::Spool, entries: 1 }; 3]);
    spool.finish().unwrap();
    assert_eq!(drain(&mut spool).0, [5]);
}

/// An error must not hide what was given up before it.
#[test]
fn an_eviction_counts_also_if_the_file_cannot_be_deleted() {
    let root = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(root.path(), BLOCK_BYTES).unwrap();
    append(&mut spool, &batch(0..2));
    let oldest = spool.own.segment(0);
    fs::remove_file(&oldest).unwrap();
    fs::create_dir_all(oldest.join("full")).unwrap();
    let mut events = Vec::new();
    spool.append(&batch(2..4), &mut events).unwrap();
    assert_eq!(events, [Event::Evicted { owner: Owner::Spool, entries: 2 }]);
    assert_eq!(drain(&mut spool).0, [2, 3]);
}

#[test]
fn damaged_segments_are_set_aside_and_the_others_sent() {
    let root = tempfile::tempdir().unwrap();
    let folder = left_behind(&root, &[batch(0..1), batch(1..2), batch(2..3), batch(3..4), batch(4..5), batch(5..6)]);
    let change = |number: usize, how: fn(&mut Vec<u8>)| {
        let path = segment_path(&folder, number);
        let mut bytes = fs::read(&path).unwrap();
        how(&mut bytes);
        fs::write(path, bytes).unwrap();
    };
    change(0, Vec::clear);
    change(1, |bytes| bytes.truncate(bytes.len() - 1));
    change(2, |bytes| bytes[40] ^= 1);
    change(3, |bytes| bytes[..8].copy_from_slice(b"THSPOOL9"));
    // It claims to have four milliards of entries.
    change(4, |bytes| bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes()));
    let mut events = Vec::new();
    let mut spool = Spool::open(root.path(), LARGE).unwrap();
    spool.take_over(&mut events);
    assert_eq!(events, [Event::Found { entries: 2 }], "only those that can be counted");
    let (sent, events) = drain(&mut spool);
    assert_eq!(sent, [5]);
    let counted = events.iter().map(|event| match event {
        Event::Damaged { owner: Owner::Earlier, entries, .. } => *entries,
        other => panic!("{other:?}"),
    });
    assert_eq!(counted.collect::<Vec<_>>(), [0, 0, 1, 0, 0]);
    assert_eq!(spool.bytes, 0);
    spool.close();
    let left = files(&folder);
    assert!(left.len() == 5 && left.iter().all(|name| name.ends_with(".corrupt")), "{left:?}");
    // What was set aside is no longer anybody's.
    let mut next = open(&root);
    assert!(next.is_empty() && next.taken_over.is_empty());
    assert_eq!(drain(&mut next), (vec![], vec![]));
}

/// Each start takes it over otherwise, and there is one more for each process that was killed.
#[test]
fn what_was_half_written_is_deleted_with_its_folder() {
    let root = tempfile::tempdir().unwrap();
    let folder = left_behind(&root, &[]);
    fs::write(folder.join("0000000000000000.new"), b"THSP").unwrap();
    let spool = open(&root);
    assert!(!folder.exists());
    spool.close();
}

#[test]
fn strange_things_are_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let folder = left_behind(&root, &[batch(0..2)]);
    fs::create_dir(folder.join("00000000000000aa.segment")).unwrap();
    fs::write(folder.join("notes.segment"), b"").unwrap();
    let strange = root.path().join("theirs");
    fs::create_dir(&strange).unwrap();
    fs::write(strange.join("lock"), b"").unwrap();
    fs::write(root.path().join("0123456789abcdef"), b"a file").unwrap();
    fs::create_dir(root.path().join("0123456789abcde0")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&strange, root.path().join("0123456789abcde1")).unwrap();
    let mut spool = open(&root);
    assert_eq!(drain(&mut spool), (vec![0, 1], vec![]));
    spool.close();
    assert!(strange.join("lock").exists());
    assert_eq!(files(&folder), ["00000000000000aa.segment", "notes.segment"]);
}

#[test]
fn a_deleted_folder_is_made_anew() {
    let root = tempfile::tempdir().unwrap();
    let mut spool = open(&root);
    append(&mut spool, &batch(0..2));
    fs::remove_dir_all(root.path()).unwrap();
    append(&mut spool, &batch(2..4));
    let (sent, events) = drain(&mut spool);
    assert_eq!(sent, [2, 3]);
    assert!(matches!(&events[..], [Event::Damaged { entries: 2, .. }]), "{events:?}");
    spool.close();
    assert_eq!(files(root.path()), Vec::<String>::new());
}

/// A host that has too many files open for a moment must not lose what it has on disk.
#[cfg(unix)]
#[test]
fn what_cannot_be_read_now_is_tried_again_but_not_for_ever() {
    let root = tempfile::tempdir().unwrap();
    let mut spool = open(&root);
    (0..3).for_each(|number| append(&mut spool, &batch(number..=number)));
    let path = spool.own.segment(1);
    let away = root.path().join("away");
    fs::rename(&path, &away).unwrap();
    // Links in a circle: no end that is known to be final.
    std::os::unix::fs::symlink(&path, &path).unwrap();
    let mut events = Vec::new();
    let next = spool.next(&mut events).unwrap().unwrap();
    assert_eq!(numbers(&next.batch.body(0..next.batch.len())), [0]);
    spool.finish().unwrap();
    assert!(spool.next(&mut events).is_err());
    fs::rename(&away, &path).unwrap();
    let next = spool.next(&mut events).unwrap().unwrap();
    assert_eq!(numbers(&next.batch.body(0..next.batch.len())), [1, 2]);
    spool.finish().unwrap();

    append(&mut spool, &batch(3..4));
    append(&mut spool, &batch(4..5));
    let path = spool.own.segment(3);
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&path, &path).unwrap();
    let failed = (0..1_000).take_while(|_| spool.next(&mut events).is_err()).count();
    assert_eq!(failed, READ_TRIES as usize - 1);
    assert!(matches!(&events[..], [Event::Damaged { entries: 1, .. }]), "{events:?}");
    spool.finish().unwrap();
    assert!(spool.is_empty());
}

#[test]
fn a_folder_that_is_a_file_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("file");
    fs::write(&path, b"").unwrap();
    assert!(Spool::open(&path, LARGE).is_err());
    assert!(Spool::open(&path.join("below"), LARGE).is_err());
}
