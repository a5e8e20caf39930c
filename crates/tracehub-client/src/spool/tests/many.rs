//! The spool after long outages and many restarts: few files, few open ones, and no step that takes longer for more.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn a_long_outage_leaves_few_files_in_order() {
    const SEGMENTS: usize = 30_000;
    const SLICE: usize = 3_000;
    let root = tempfile::tempdir().unwrap();
    let mut spool = open(&root);
    let mut slices = (0..SEGMENTS).step_by(SLICE).map(|first| {
        let start = Instant::now();
        (first..first + SLICE).for_each(|number| append(&mut spool, &batch(number..=number)));
        start.elapsed()
    });
    let first = slices.next().unwrap();
    // The best of the last ones: the disk and others that use the machine make any one slow.
    let last = slices.skip(SEGMENTS / SLICE / 2).min().unwrap();
    // Far from what a quadratic step would give.
    assert!(last < first * 2 + Duration::from_millis(200), "{first:?}, then {last:?}");
    let folder = kill(spool);
    let count = files(&folder).len();
    assert!(count <= SEGMENTS / 500 + 64 + 2, "{count} files");
    let mut spool = open(&root);
    assert_eq!(drain(&mut spool), ((0..SEGMENTS).collect(), vec![]));
    assert_eq!(spool.bytes, 0);
}

#[test]
fn merged_segments_stay_within_a_request() {
    let root = tempfile::tempdir().unwrap();
    let mut spool = open(&root);
    for number in 0..200 {
        append(&mut spool, &padded(number..=number, 20_000));
    }
    assert!(spool.segments.len() < 100, "{}", spool.segments.len());
    assert!(spool.segments.iter().all(|segment| segment.length <= MAX_BATCH_BYTES as u64));
    let on_disk: u64 = spool.segments.iter().map(Segment::bytes).sum();
    assert_eq!((spool.bytes, spool.waiting()), (on_disk, 200));
    // Those that are full already need no merging, and take no time.
    let mut full = open(&root);
    for number in 0..100 {
        append(&mut full, &padded(number..=number, 300_000));
    }
    assert_eq!(full.segments.len(), 100);
    assert_eq!(drain(&mut full).0, (0..100).collect::<Vec<_>>());
    assert_eq!(drain(&mut spool).0, (0..200).collect::<Vec<_>>());
}

#[test]
fn merging_leaves_alone_what_is_being_sent_and_what_is_damaged() {
    let root = tempfile::tempdir().unwrap();
    let mut spool = open(&root);
    (0..10).for_each(|number| append(&mut spool, &batch(number..=number)));
    let mut events = Vec::new();
    let next = spool.next(&mut events).unwrap().unwrap();
    assert_eq!(numbers(&next.batch.body(0..10)), (0..10).collect::<Vec<_>>());
    append(&mut spool, &batch(10..11));
    fs::write(spool.own.segment(10), b"").unwrap();
    (11..200).for_each(|number| append(&mut spool, &batch(number..=number)));
    assert!(spool.segments.len() <= 70 && events.is_empty());
    spool.finish().unwrap();
    let (sent, events) = drain(&mut spool);
    assert_eq!(sent, (11..200).collect::<Vec<_>>());
    assert!(matches!(&events[..], [Event::Damaged { entries: 1, .. }]), "{events:?}");
}

/// A process that is killed after it has written the merged segment, and before it has deleted the others.
#[test]
fn a_crash_while_merging_only_repeats_entries() {
    let root = tempfile::tempdir().unwrap();
    let mut spool = open(&root);
    (0..64).for_each(|number| append(&mut spool, &batch(number..=number)));
    let folder = spool.own.segment(0).parent().unwrap().to_owned();
    let before: Vec<_> =
        files(&folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect();
    append(&mut spool, &batch(64..65));
    assert_eq!(spool.segments.len(), 1);
    kill(spool);
    for (name, bytes) in before {
        if !folder.join(&name).exists() {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }
    let (sent, events) = drain(&mut open(&root));
    let expected: Vec<_> = (0..65).chain(1..64).collect();
    assert_eq!((sent, events), (expected, vec![]));
}

#[test]
fn merging_that_fails_costs_nothing() {
    let root = tempfile::tempdir().unwrap();
    let mut spool = open(&root);
    (0..64).for_each(|number| append(&mut spool, &batch(number..=number)));
    let first = spool.own.segment(0);
    // Nothing can be written beside the first.
    fs::create_dir(first.with_extension("new")).unwrap();
    spool.append(&batch(64..65), &mut Vec::new()).unwrap();
    assert!(spool.compact().is_err());
    assert_eq!(drain(&mut spool), ((0..65).collect(), vec![]));
}

/// A service that crashes again and again leaves a folder each time; each keeps a file open while it is held.
#[test]
fn many_folders_are_taken_over_some_at_a_time() {
    const FOLDERS: usize = 100;
    let root = tempfile::tempdir().unwrap();
    for number in 0..FOLDERS {
        left_behind(&root, &[batch(number..=number)]);
    }
    let mut events = Vec::new();
    let mut spool = Spool::open(root.path(), LARGE).unwrap();
    spool.take_over(&mut events);
    assert!(spool.taken_over.len() < 50 && spool.has_more);
    let (mut sent, more) = drain(&mut spool);
    events.extend(more);
    sent.sort_unstable();
    assert_eq!(sent, (0..FOLDERS).collect::<Vec<_>>());
    let found = events.iter().map(|event| match event {
        Event::Found { entries } => *entries,
        other => panic!("{other:?}"),
    });
    assert_eq!(found.sum::<u64>(), FOLDERS as u64);
    assert_eq!(files(root.path()).len(), 1, "its own");
    spool.close();
    assert_eq!(files(root.path()), Vec::<String>::new());
}

/// Starting and ending at the same time must not make one another fail, and nobody takes what another holds.
#[test]
fn many_may_start_and_end_at_the_same_time() {
    let root = tempfile::tempdir().unwrap();
    let mut sent: Vec<usize> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|client| {
                let root = &root;
                scope.spawn(move || {
                    let mut sent = Vec::new();
                    for round in 0..30 {
                        let mut spool = Spool::open(root.path(), LARGE).unwrap();
                        append(&mut spool, &batch([client * 1_000 + round]));
                        if round % 3 == 0 {
                            kill(spool);
                            continue;
                        }
                        let (some, events) = drain(&mut spool);
                        assert!(!events.iter().any(|event| matches!(event, Event::Damaged { .. })), "{events:?}");
                        sent.extend(some);
                        spool.close();
                    }
                    sent
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    sent.extend(drain(&mut open(&root)).0);
    sent.sort_unstable();
    let expected: Vec<_> = (0..8).flat_map(|client| (0..30).map(move |round| client * 1_000 + round)).collect();
    assert_eq!(sent, expected, "each once");
}
