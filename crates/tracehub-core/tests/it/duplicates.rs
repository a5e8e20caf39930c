//! Finding duplicates among entries that all carry the same time: there, identities share keys.

use tracehub_core::store::StoreWriter as _;

use crate::support::{Note, TempStore, batch, note, rows};

/// So many of one millisecond that about a hundred want a key that another has.
const ENTRIES: usize = 20_000;
const STEP: usize = 1_000;

fn notes() -> Vec<Note> {
    (0..ENTRIES).map(|number| note("c", 5.0, &number.to_string(), "->")).collect()
}

#[test]
fn entries_of_one_millisecond_are_told_apart_while_the_oldest_go() {
    let mut store = TempStore::new();
    let notes = notes();
    for (second, notes) in (0..).zip(notes.chunks(STEP)) {
        assert_eq!(store.writer.ingest(&[batch(notes)], second).unwrap()[0].inserted(), STEP as u64);
    }
    assert!(rows(&store, "identity_collisions") > 20, "this test must see collisions");
    for (cutoff, gone) in (1..).zip((STEP..=ENTRIES).step_by(STEP)) {
        while store.writer.delete_arrived_before(cutoff, 300).unwrap().more {}
        let left = &notes[gone..];
        assert_eq!(rows(&store, "entries"), left.len());
        for chunk in left.chunks(10_000) {
            assert_eq!(store.writer.ingest(&[batch(chunk)], 1_000).unwrap()[0].inserted(), 0, "{gone} are gone");
        }
    }
    assert_eq!((rows(&store, "identities"), rows(&store, "identity_collisions")), (0, 0));
    assert_eq!(store.writer.ingest(&[batch(&notes[..STEP])], 2_000).unwrap()[0].inserted(), STEP as u64);
}
