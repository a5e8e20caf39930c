//! Lists of chains: filters and pages, against the plainest model.

use proptest::prelude::*;
use serde_json::json;
use tracehub_core::query::{ChainQuery, PlaceFilter};
use tracehub_core::store::{StoreReader as _, StoreWriter as _};
use tracehub_core::wire::ingest::IngestBatch;

use crate::support::TempStore;

/// An entry as numbers: which chain, source, endpoint, host, direction; and its time.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Note {
    chain: usize,
    source: usize,
    endpoint: usize,
    host: usize,
    leave: bool,
    timestamp: u8,
    number: usize,
}

const CHAINS: [&str; 5] = ["order-1", "order-12", "order-2", "ticket", "ünder"];
const SOURCES: [&str; 3] = ["MA", "WK", "VM"];
const ENDPOINTS: [&str; 2] = ["/a", "/b"];
const HOSTS: [&str; 2] = ["web", "db"];

fn batch(notes: &[Note]) -> IngestBatch {
    let traces: Vec<_> = notes
        .iter()
        .map(|note| {
            json!({
                "source_id": SOURCES[note.source], "correlation_id": CHAINS[note.chain],
                "timestamp": note.timestamp, "suffix": note.number.to_string(),
                "direction": if note.leave { "<-" } else { "->" }, "operation": "REST",
                "endpoint": ENDPOINTS[note.endpoint], "hostname": HOSTS[note.host],
            })
        })
        .collect();
    IngestBatch::parse(json!({ "traces": traces }).to_string().into_bytes()).expect("a valid batch")
}

#[derive(Debug, Clone)]
enum Step {
    Ingest(Vec<Note>),
    DeleteBefore(i64),
    Finish,
    Reopen,
}

fn any_note() -> impl Strategy<Value = Note> {
    (0..5_usize, 0..3_usize, 0..2_usize, 0..2_usize, any::<bool>(), 0..20_u8).prop_map(
        |(chain, source, endpoint, host, leave, timestamp)| Note {
            chain,
            source,
            endpoint,
            host,
            leave,
            timestamp,
            number: 0,
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(any_note(), 1..6).prop_map(Step::Ingest),
        1 => (0..20_i64).prop_map(Step::DeleteBefore),
        1 => Just(Step::Finish),
        1 => Just(Step::Reopen),
    ]
}

fn any_query() -> impl Strategy<Value = ChainQuery> {
    let place = (prop::option::of(0..3_usize), prop::option::of(0..2_usize), prop::option::of(0..2_usize));
    let prefix = prop::option::of(prop::sample::select(vec!["order", "order-1", "t", "ü", "none"]));
    (1..4_u32, prop::option::of(0..15_i64), prop::option::of(any::<bool>()), prop::option::of(0..20_u8), prefix, place)
        .prop_map(|(limit, active_since, complete, least, prefix, (source, endpoint, host))| ChainQuery {
            limit,
            before: None,
            active_since,
            complete,
            min_duration_ms: least.map(f64::from),
            prefix: prefix.map(str::to_owned),
            place: PlaceFilter {
                source_id: source.map(|source| SOURCES[source].to_owned()),
                endpoint: endpoint.map(|endpoint| ENDPOINTS[endpoint].to_owned()),
                hostname: host.map(|host| HOSTS[host].to_owned()),
                operation: None,
            },
        })
}

/// The ids of the chains that match, the most recently active first. Entries are in order of commit.
fn expected(entries: &[(Note, i64)], query: &ChainQuery) -> Vec<String> {
    let mut chains: Vec<usize> = Vec::new();
    for (note, _) in entries.iter().rev() {
        if !chains.contains(&note.chain) {
            chains.push(note.chain);
        }
    }
    let matches = |chain: &usize| {
        let of_chain: Vec<&(Note, i64)> = entries.iter().filter(|(note, _)| note.chain == *chain).collect();
        let leaves = of_chain.iter().filter(|(note, _)| note.leave).count();
        let enters = of_chain.len() - leaves;
        let times = || of_chain.iter().map(|(note, _)| f64::from(note.timestamp));
        let duration = times().fold(f64::MIN, f64::max) - times().fold(f64::MAX, f64::min);
        let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        query.active_since.is_none_or(|since| of_chain.iter().any(|(_, arrived)| *arrived >= since))
            && query.complete.is_none_or(|complete| complete == (enters > 0 && enters == leaves))
            && query.min_duration_ms.is_none_or(|least| duration >= least)
            && query.prefix.as_deref().is_none_or(|prefix| CHAINS[*chain].starts_with(prefix))
            && of_chain.iter().any(|(note, _)| {
                is(&query.place.source_id, SOURCES[note.source])
                    && is(&query.place.endpoint, ENDPOINTS[note.endpoint])
                    && is(&query.place.hostname, HOSTS[note.host])
            })
    };
    chains.iter().filter(|chain| matches(chain)).map(|chain| CHAINS[*chain].to_owned()).collect()
}

/// All pages together.
fn listed(store: &TempStore, query: &ChainQuery) -> Vec<String> {
    let mut query = query.clone();
    let mut all = Vec::new();
    loop {
        let page = store.reader.correlations(&query).expect("a page");
        assert!(page.chains.len() <= query.limit as usize);
        all.extend(page.chains.into_iter().map(|chain| chain.correlation_id));
        match page.next {
            Some(next) => query.before = Some(next),
            None => return all,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn any_question_is_answered_as_by_the_model(
        steps in prop::collection::vec((any_step(), prop::collection::vec(any_query(), 1..4)), 1..15),
    ) {
        let mut store = TempStore::new();
        let mut entries: Vec<(Note, i64)> = Vec::new();
        let mut number = 0;
        for (now, (step, queries)) in (0_i64..).zip(steps) {
            match step {
                Step::Ingest(mut notes) => {
                    for note in &mut notes {
                        number += 1;
                        note.number = number;
                    }
                    // A batch is stored in the order of its timestamps.
                    notes.sort_by_key(|note| note.timestamp);
                    store.writer.ingest(&[batch(&notes)], now).unwrap();
                    entries.extend(notes.into_iter().map(|note| (note, now)));
                }
                Step::DeleteBefore(cutoff) => {
                    while store.writer.delete_arrived_before(cutoff, 3).unwrap().more {}
                    entries.retain(|(_, arrived)| *arrived >= cutoff);
                }
                Step::Finish => store.writer.finish().unwrap(),
                Step::Reopen => store = store.reopen(),
            }
            for query in queries {
                prop_assert_eq!(listed(&store, &query), expected(&entries, &query), "{:?}", query);
            }
        }
    }
}

/// Many chains at hand, and few of the time that is asked for: then no page follows that would be empty.
#[test]
fn the_last_page_of_what_came_lately_says_that_it_is_the_last() {
    let mut store = TempStore::new();
    for (arrived_at, chains) in [(100, 0..300), (200, 300..303)] {
        let traces: Vec<_> = chains
            .map(|chain| {
                json!({
                    "source_id": "MA", "correlation_id": format!("c{chain}"), "timestamp": chain, "suffix": "s",
                    "direction": "->", "operation": "REST", "endpoint": "/x",
                })
            })
            .collect();
        let body = json!({ "traces": traces }).to_string().into_bytes();
        store.writer.ingest(&[IngestBatch::parse(body).unwrap()], arrived_at).unwrap();
    }
    let page = store.reader.correlations(&ChainQuery { active_since: Some(200), ..ChainQuery::newest(50) }).unwrap();
    assert_eq!((page.chains.len(), page.next), (3, None));
    let page = store.reader.correlations(&ChainQuery { active_since: Some(200), ..ChainQuery::newest(2) }).unwrap();
    assert_eq!((page.chains.len(), page.next.is_some()), (2, true));
}

/// More chains than one question looks into, none of which says all its places in its row.
#[test]
fn a_place_that_rows_do_not_tell_is_found_page_by_page() {
    const CHAINS: u32 = 700;
    const PLACES: u32 = 270;
    let mut store = TempStore::new();
    for chain in 0..CHAINS {
        let traces: Vec<_> = (0..PLACES)
            .map(|place| {
                let endpoint = if chain == 7 && place == PLACES - 1 { "/rare".to_owned() } else { format!("/{place}") };
                json!({
                    "source_id": "MA", "correlation_id": format!("c{chain}"), "timestamp": place, "suffix": "s",
                    "direction": "->", "operation": "REST", "endpoint": endpoint,
                })
            })
            .collect();
        let body = json!({ "traces": traces }).to_string().into_bytes();
        store.writer.ingest(&[IngestBatch::parse(body).unwrap()], 1).unwrap();
    }
    let at = |endpoint: &str| {
        let place = PlaceFilter { endpoint: Some(endpoint.to_owned()), ..PlaceFilter::default() };
        ChainQuery { place, ..ChainQuery::newest(50) }
    };
    let (rare, nowhere) = (at("/rare"), at("/nowhere"));
    for reopened in [false, true] {
        assert!(store.reader.correlations(&rare).unwrap().next.is_some(), "not in one go");
        assert_eq!(listed(&store, &rare), ["c7"]);
        assert!(listed(&store, &nowhere).is_empty());
        assert_eq!(listed(&store, &at("/269")).len(), CHAINS as usize - 1);
        if !reopened {
            store.writer.finish().unwrap();
            store = store.reopen();
        }
    }
}

/// More chains than one question looks at, with one that matches at the far end.
#[test]
fn a_rare_chain_is_found_page_by_page() {
    const CHAINS: u32 = 12_000;
    let mut store = TempStore::new();
    for start in (0..CHAINS).step_by(4_000) {
        let traces: Vec<_> = (start..start + 4_000)
            .flat_map(|chain| {
                let source = if chain == 7 { "RARE" } else { "MA" };
                ["->", "<-"].map(|direction| {
                    json!({
                        "source_id": source, "correlation_id": format!("c{chain}"), "timestamp": chain,
                        "suffix": "s", "direction": direction, "operation": "REST", "endpoint": "/x",
                    })
                })
            })
            .collect();
        let body = json!({ "traces": traces }).to_string().into_bytes();
        store.writer.ingest(&[IngestBatch::parse(body).unwrap()], 1).unwrap();
    }
    store.writer.finish().unwrap();
    let store = store.reopen();
    let place = PlaceFilter { source_id: Some("RARE".to_owned()), ..PlaceFilter::default() };
    let rare = ChainQuery { place, ..ChainQuery::newest(50) };
    assert!(store.reader.correlations(&rare).unwrap().next.is_some(), "not in one go");
    assert_eq!(listed(&store, &rare), ["c7"]);
    let prefix = ChainQuery { prefix: Some("c11".to_owned()), ..ChainQuery::newest(10_000) };
    assert_eq!(listed(&store, &prefix).len(), 1 + 10 + 100 + 1_000);
    let all = ChainQuery { prefix: Some("c".to_owned()), ..ChainQuery::newest(500) };
    assert_eq!(listed(&store, &all).len(), CHAINS as usize);
    let incomplete = ChainQuery { complete: Some(false), ..ChainQuery::newest(50) };
    assert_eq!(store.reader.correlations(&incomplete).unwrap().next, None, "the index leads past all others");
}
