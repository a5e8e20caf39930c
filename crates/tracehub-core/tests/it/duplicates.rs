//! Finding duplicates among entries that all carry the same time: there, identities share keys.

use tracehub_core::store::StoreWriter as _;

use crate::support::{Note, TempStore, batch, note};

/// So many of one millisecond that about a hundred want a key that another has.
const ENTRIES: usize = 20_000;
const STEP: usize = 1_000;

fn notes() -> Vec<Note> {
    (0..ENTRIES).map(|number| note("c", 5.0, &number.to_string(), "->")).collect()
}

/// Rows of a table, read from the file itself.
fn rows(store: &TempStore, table: &str) -> usize {
    let file = rusqlite::Connection::open(store.folder.path().join("tracehub.db")).unwrap();
    file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn entries_of_one_millisecond_are_told_apart_while_the_oldest_go() {
    let mut store = TempStore::new();
    let notes = notes();
    for (second, notes) in (0..).zip(notes.chunks(STEP)) {
        assert_eq!(store.writer.ingest(&[batch(notes)], second).unwrap()[0].inserted(), STEP as u64);
    }
    assert!(rows(&store, "identity_collisions") > 20, "this test must see collisions");
    for gone in 1..=ENTRIES / STEP {
        while store.writer.delete_arrived_before(gone as i64, 300).unwrap().more {}
        let left = &notes[gone * STEP..];
        assert_eq!(rows(&store, "entries"), left.len());
        for chunk in left.chunks(10_000) {
            assert_eq!(store.writer.ingest(&[batch(chunk)], 1_000).unwrap()[0].inserted(), 0, "after {gone} steps");
        }
    }
    assert_eq!((rows(&store, "identities"), rows(&store, "identity_collisions")), (0, 0));
    assert_eq!(store.writer.ingest(&[batch(&notes[..STEP])], 2_000).unwrap()[0].inserted(), STEP as u64);
}
