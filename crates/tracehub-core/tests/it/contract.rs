//! What every store promises: exact counts, order, summaries, deletion.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tracehub_core::query::ChainQuery;
use tracehub_core::store::{ChainFilter, EntryId, StoreReader as _, StoreWriter as _};

use crate::support::{Note, TempStore, batch, note};

#[test]
fn duplicates_are_counted_within_a_batch_across_a_group_and_across_transactions() {
    let mut store = TempStore::new();
    let enter = note("c", 1.0, "a", "->");
    let group = [batch(&[enter.clone(), enter.clone()]), batch(&[enter.clone(), note("c", 2.0, "b", "<-")])];
    let receipts = store.writer.ingest(&group, 100).unwrap();
    assert_eq!((receipts[0].inserted(), receipts[0].duplicates()), (1, 1));
    assert_eq!((receipts[1].inserted(), receipts[1].duplicates()), (1, 1));
    let again = store.writer.ingest(&group, 101).unwrap();
    assert!(again.iter().all(|receipt| receipt.inserted() == 0));
    assert_eq!(store.suffixes("c"), ["a", "b"]);
}

#[test]
fn source_and_direction_are_part_of_an_entrys_identity() {
    let mut store = TempStore::new();
    let enter = note("c", 1.0, "same", "->");
    let leave = Note { direction: "<-".to_owned(), ..enter.clone() };
    let mark = Note { direction: "mark".to_owned(), ..enter.clone() };
    let other = Note { source: "WK".to_owned(), ..enter.clone() };
    let receipts = store.writer.ingest(&[batch(&[enter, leave, mark, other])], 100).unwrap();
    assert_eq!(receipts[0].inserted(), 4);
}

/// Zero has two signs and is one number, as it is for the original.
#[test]
fn a_timestamp_of_minus_zero_is_that_of_zero() {
    let mut store = TempStore::new();
    let receipts = store.writer.ingest(&[batch(&[note("c", -0.0, "a", "->"), note("c", 0.0, "a", "->")])], 1).unwrap();
    assert_eq!((receipts[0].inserted(), receipts[0].duplicates()), (1, 1));
    assert_eq!(store.writer.ingest(&[batch(&[note("c", 0.0, "a", "->")])], 2).unwrap()[0].duplicates(), 1);
    assert_eq!(store.writer.ingest(&[batch(&[note("c", -0.0, "b", "->")])], 3).unwrap()[0].inserted(), 1);
    assert_eq!(store.reopen().suffixes("c"), ["a", "b"]);
}

#[test]
fn a_chain_comes_in_time_order_and_ties_in_order_of_arrival() {
    let mut store = TempStore::new();
    store.writer.ingest(&[batch(&[note("c", 7.0, "z", "->"), note("c", 7.0, "a", "->")])], 100).unwrap();
    store.writer.ingest(&[batch(&[note("c", 7.0, "m", "->"), note("c", 6.0, "first", "->")])], 100).unwrap();
    assert_eq!(store.suffixes("c"), ["first", "z", "a", "m"]);
    assert!(store.suffixes("unknown").is_empty());
}

#[test]
fn filters_take_one_source_and_what_came_after() {
    let mut store = TempStore::new();
    let other = Note { source: "WK".to_owned(), ..note("c", 2.0, "other", "->") };
    store.writer.ingest(&[batch(&[note("c", 1.0, "one", "->"), other, note("c", 3.0, "three", "<-")])], 100).unwrap();
    let seen = |filter: ChainFilter<'_>| {
        let mut suffixes = Vec::new();
        store.reader.chain("c", filter, &mut |entry| suffixes.push(entry.suffix.to_owned())).unwrap();
        suffixes
    };
    assert_eq!(seen(ChainFilter { source_id: Some("WK"), since_timestamp: None }), ["other"]);
    assert_eq!(seen(ChainFilter { source_id: None, since_timestamp: Some(1.0) }), ["other", "three"]);
    assert!(seen(ChainFilter { source_id: Some("W"), since_timestamp: None }).is_empty());
}

#[test]
fn ids_are_in_commit_order_and_give_their_entries() {
    let mut store = TempStore::new();
    let receipts = store.writer.ingest(&[batch(&[note("c", 9.0, "late", "->")])], 100).unwrap();
    let first = receipts[0].ids[0].unwrap();
    store.writer.ingest(&[batch(&[note("c", 1.0, "early", "->"), note("d", 1.0, "x", "->")])], 100).unwrap();
    let ids = store.reader.chain_entry_ids("c", EntryId::ZERO).unwrap();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], first);
    assert_eq!(store.reader.chain_entry_ids("c", first).unwrap(), ids[1..]);
    let mut suffixes = Vec::new();
    store.reader.entries("c", &ids, &mut |_, entry| suffixes.push(entry.suffix.to_owned())).unwrap();
    assert_eq!(suffixes, ["late", "early"]);
}

#[test]
fn summaries_say_what_a_chain_holds() {
    let mut store = TempStore::new();
    let worker = Note { source: "WK".to_owned(), ..note("c", 30.9, "2", "<-") };
    store.writer.ingest(&[batch(&[note("c", 10.0, "1", "->"), worker])], 100).unwrap();
    store.writer.ingest(&[batch(&[note("d", 5.0, "1", "->")])], 100).unwrap();
    let listed = store.reader.correlations(&ChainQuery::newest(10)).unwrap().chains;
    assert_eq!(listed.iter().map(|chain| chain.correlation_id.as_str()).collect::<Vec<_>>(), ["d", "c"]);
    let chain = &listed[1];
    assert_eq!((chain.trace_count, chain.first_ts, chain.last_ts, chain.duration_ms), (2, 10.0, 30.9, 20));
    assert_eq!(chain.sources, ["MA", "WK"]);
    assert_eq!((chain.complete, listed[0].complete), (Some(true), Some(false)));
    assert_eq!(store.reader.correlations(&ChainQuery::newest(1)).unwrap().chains.len(), 1);
    assert!(store.reader.correlations(&ChainQuery::newest(0)).unwrap().chains.is_empty());
}

#[test]
fn everything_is_there_after_opening_again() {
    let mut store = TempStore::new();
    store.writer.ingest(&[batch(&[note("c", 1.0, "a", "->")])], 100).unwrap();
    let mut store = store.reopen();
    let receipts = store.writer.ingest(&[batch(&[note("c", 1.0, "a", "->"), note("c", 2.0, "b", "<-")])], 101).unwrap();
    assert_eq!((receipts[0].inserted(), receipts[0].duplicates()), (1, 1));
    let listed = store.reader.correlations(&ChainQuery::newest(10)).unwrap().chains;
    assert_eq!((listed[0].trace_count, listed[0].complete), (2, Some(true)));
}

#[test]
fn deletion_takes_the_oldest_in_steps_and_keeps_summaries_exact() {
    let mut store = TempStore::new();
    let worker = Note { source: "WK".to_owned(), ..note("kept", 50.0, "old", "->") };
    store.writer.ingest(&[batch(&[note("gone", 1.0, "a", "->"), note("gone", 2.0, "b", "<-"), worker])], 100).unwrap();
    store.writer.ingest(&[batch(&[note("kept", 7.0, "new", "<-")])], 200).unwrap();
    let step = store.writer.delete_arrived_before(200, 2).unwrap();
    assert_eq!((step.entries, step.more), (2, true));
    let step = store.writer.delete_arrived_before(200, 2).unwrap();
    assert_eq!((step.entries, step.more), (1, false));
    assert_eq!(store.writer.delete_arrived_before(200, 2).unwrap().entries, 0);
    let listed = store.reader.correlations(&ChainQuery::newest(10)).unwrap().chains;
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].trace_count, listed[0].first_ts, listed[0].last_ts), (1, 7.0, 7.0));
    assert_eq!(listed[0].sources, ["MA"]);
    assert_eq!(listed[0].complete, Some(false));
    // The cache was told: the chain goes on from what is left.
    store.writer.ingest(&[batch(&[note("kept", 6.0, "more", "->"), note("gone", 1.0, "a", "->")])], 201).unwrap();
    let listed = store.reader.correlations(&ChainQuery::newest(10)).unwrap().chains;
    assert_eq!(listed.iter().map(|chain| chain.trace_count).collect::<BTreeSet<_>>(), BTreeSet::from([1, 2]));
}

#[test]
fn arrivals_move_with_the_clock_and_are_never_in_the_future() {
    let mut store = TempStore::new();
    store.writer.ingest(&[batch(&[note("c", 1.0, "a", "->")])], 100).unwrap();
    store.writer.ingest(&[batch(&[note("c", 2.0, "b", "->")])], 200).unwrap();
    store.writer.adjust_arrivals(1_000, 1_150).unwrap();
    store.writer.ingest(&[batch(&[note("c", 3.0, "c", "->")])], 1_150).unwrap();
    assert_eq!(store.writer.delete_arrived_before(1_100, 10).unwrap().entries, 0);
    assert_eq!(store.writer.delete_arrived_before(1_101, 10).unwrap().entries, 1);
    assert_eq!(store.writer.delete_arrived_before(1_150, 10).unwrap().entries, 0);
    let mut store = store.reopen();
    store.writer.adjust_arrivals(0, 500).unwrap();
    store.writer.ingest(&[batch(&[note("c", 4.0, "d", "->")])], 501).unwrap();
    assert_eq!(store.writer.delete_arrived_before(501, 10).unwrap().entries, 2);
    assert_eq!(store.suffixes("c"), ["d"]);
}

/// What is left of it is not read in every step.
#[test]
fn a_large_chain_shrinks_in_steps_and_its_numbers_stay_right() {
    const ENTRIES: u32 = 40_000;
    const OLD: u32 = 10_000;
    const STEP: u32 = 500;
    let mut store = TempStore::new();
    // The first is the latest by its own clock.
    let late = Note { source: "OLD".to_owned(), ..note("c", 1e6, "s", "->") };
    store.writer.ingest(&[batch(&[late])], 100).unwrap();
    for start in (0..ENTRIES).step_by(5_000) {
        let notes = (start.max(1)..start + 5_000).map(|number| {
            let direction = if number % 2 == 0 { "->" } else { "<-" };
            let source = if number < OLD { "OLD" } else { "NEW" };
            Note { source: source.to_owned(), ..note("c", f64::from(number), "s", direction) }
        });
        store.writer.ingest(&[batch(&notes.collect::<Vec<_>>())], 100).unwrap();
    }
    for deleted in (STEP..ENTRIES).step_by(STEP as usize) {
        assert_eq!(store.writer.delete_oldest(STEP).unwrap().entries, u64::from(STEP));
        let listed = store.reader.correlations(&ChainQuery::newest(10)).unwrap().chains;
        let chain = &listed[0];
        assert_eq!(chain.trace_count, u64::from(ENTRIES - deleted));
        assert_eq!((chain.first_ts, chain.last_ts), (f64::from(deleted), f64::from(ENTRIES - 1)));
        assert!(chain.sources.contains(&"NEW".to_owned()));
        assert!(
            deleted < OLD || ENTRIES - deleted > 4_000 || chain.sources == ["NEW"],
            "{deleted}: {:?}",
            chain.sources
        );
    }
    store.writer.delete_oldest(STEP).unwrap();
    assert!(store.reader.correlations(&ChainQuery::newest(10)).unwrap().chains.is_empty());
}

#[test]
fn an_id_is_never_given_twice() {
    let mut store = TempStore::new();
    let receipts = store.writer.ingest(&[batch(&[note("c", 1.0, "a", "->")])], 100).unwrap();
    let first = receipts[0].ids[0].unwrap();
    assert_eq!(store.writer.delete_arrived_before(i64::MAX, 100).unwrap().entries, 1);
    let mut store = store.reopen();
    let receipts = store.writer.ingest(&[batch(&[note("c", 1.0, "a", "->")])], 100).unwrap();
    assert!(receipts[0].ids[0].unwrap() > first);
}

/// More chains than a store keeps at hand, twice: each is written, dropped from memory, and taken up again.
#[test]
fn more_chains_than_fit_into_memory() {
    const CHAINS: u32 = 70_000;
    const BATCH: u32 = 5_000;
    let mut store = TempStore::new();
    for (round, direction) in ["->", "<-"].into_iter().enumerate() {
        for start in (0..CHAINS).step_by(BATCH as usize) {
            let notes: Vec<Note> = (start..start + BATCH)
                .map(|chain| note(&format!("c{chain}"), f64::from(chain) + round as f64, direction, direction))
                .collect();
            assert_eq!(store.writer.ingest(&[batch(&notes)], 100).unwrap()[0].inserted(), u64::from(BATCH));
        }
    }
    let check = |store: &TempStore| {
        for chain in [0, 1, CHAINS / 2, CHAINS - 1] {
            assert_eq!(store.suffixes(&format!("c{chain}")), ["->", "<-"]);
            assert_eq!(store.reader.chain_entry_ids(&format!("c{chain}"), EntryId::ZERO).unwrap().len(), 2);
        }
        let listed = store.reader.correlations(&ChainQuery::newest(10_000)).unwrap().chains;
        assert_eq!(listed.len(), 10_000);
        assert!(listed.iter().all(|chain| chain.trace_count == 2 && chain.complete == Some(true)));
        assert_eq!(listed[0].correlation_id, format!("c{}", CHAINS - 1));
    };
    check(&store);
    let mut store = store.reopen();
    check(&store);
    store.writer.finish().unwrap();
    check(&store);
    check(&store.reopen());
}

/// What a store must answer, kept in the plainest way: a list of entries.
#[derive(Debug, Default)]
struct Model {
    entries: Vec<(Note, i64)>,
}

impl Model {
    fn ingest(&mut self, note: &Note, now: i64) -> bool {
        let new = !self.entries.iter().any(|(other, _)| other == note);
        if new {
            self.entries.push((note.clone(), now));
        }
        new
    }

    fn counts(&self) -> BTreeMap<&str, (u64, bool)> {
        let mut chains: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
        for (note, _) in &self.entries {
            let (entries, enters, leaves) = chains.entry(&note.chain).or_default();
            *entries += 1;
            *enters += u64::from(note.direction == "->");
            *leaves += u64::from(note.direction == "<-");
        }
        chains
            .into_iter()
            .map(|(chain, (entries, enters, leaves))| (chain, (entries, enters > 0 && enters == leaves)))
            .collect()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Ingest(Vec<Vec<Note>>),
    DeleteBefore(i64),
    Finish,
    /// What a crash leaves: nothing is put in order before.
    Reopen,
}

fn any_note() -> impl Strategy<Value = Note> {
    (0..4_u8, 0..2_u8, 0..4_u8, 0..3_u8, 0..3_usize).prop_map(|(chain, source, timestamp, suffix, direction)| Note {
        chain: format!("c{chain}"),
        source: ["MA", "WK"][usize::from(source)].to_owned(),
        timestamp: f64::from(timestamp) / 2.0,
        suffix: suffix.to_string(),
        direction: ["->", "<-", "!"][direction].to_owned(),
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec(prop::collection::vec(any_note(), 0..8), 1..4).prop_map(Step::Ingest),
        2 => (0..40_i64).prop_map(Step::DeleteBefore),
        1 => Just(Step::Finish),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn any_history_gives_what_the_model_gives(steps in prop::collection::vec(any_step(), 1..30)) {
        let mut store = TempStore::new();
        let mut model = Model::default();
        for (now, step) in (0_i64..).zip(steps) {
            match step {
                Step::Ingest(group) => {
                    let batches: Vec<_> = group.iter().map(|notes| batch(notes)).collect();
                    let receipts = store.writer.ingest(&batches, now).unwrap();
                    for (batch, receipt) in batches.iter().zip(&receipts) {
                        let expected: Vec<bool> = batch.entries().map(|entry| model.ingest(&Note {
                            chain: entry.correlation_id.to_owned(),
                            source: entry.source_id.to_owned(),
                            timestamp: entry.timestamp,
                            suffix: entry.suffix.to_owned(),
                            direction: entry.direction.to_owned(),
                        }, now)).collect();
                        let stored: Vec<bool> = receipt.ids.iter().map(Option::is_some).collect();
                        prop_assert_eq!(stored, expected);
                    }
                }
                Step::DeleteBefore(cutoff) => {
                    while store.writer.delete_arrived_before(cutoff, 3).unwrap().more {}
                    model.entries.retain(|(_, arrived)| *arrived >= cutoff);
                }
                Step::Finish => store.writer.finish().unwrap(),
                Step::Reopen => store = store.reopen(),
            }
            let listed = store.reader.correlations(&ChainQuery::newest(100)).unwrap().chains;
            let counts: BTreeMap<&str, (u64, bool)> = listed
                .iter()
                .map(|chain| (chain.correlation_id.as_str(), (chain.trace_count, chain.complete == Some(true))))
                .collect();
            prop_assert_eq!(&counts, &model.counts());
            for chain in &listed {
                let of_chain: Vec<&Note> = model.entries.iter().map(|(note, _)| note)
                    .filter(|note| note.chain == chain.correlation_id).collect();
                let ids = store.reader.chain_entry_ids(&chain.correlation_id, EntryId::ZERO).unwrap();
                prop_assert_eq!(ids.len(), of_chain.len());
                let sources: BTreeSet<&str> = of_chain.iter().map(|note| note.source.as_str()).collect();
                prop_assert!(chain.sources.iter().map(String::as_str).eq(sources));
                let mut by_time = of_chain.clone();
                by_time.sort_by(|a, b| a.timestamp.total_cmp(&b.timestamp));
                prop_assert_eq!(chain.first_ts.to_bits(), by_time[0].timestamp.to_bits());
                let expected: Vec<&str> = by_time.iter().map(|note| note.suffix.as_str()).collect();
                prop_assert_eq!(store.suffixes(&chain.correlation_id), expected);
            }
        }
    }
}
