//! Text that looks like SQL is text: it is stored, found and given back as it is, and nothing else happens.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;
use tracehub_core::query::{ChainQuery, PlaceFilter};
use tracehub_core::store::{ChainFilter, StoreReader as _, StoreWriter as _};
use tracehub_core::wire::ingest::IngestBatch;

use crate::support::{TempStore, rows};

const CASES: u32 = 10_000;

/// Pieces that end a literal, a statement or a pattern, or begin something new.
const PIECES: [&str; 26] = [
    "'",
    "''",
    "\"",
    "`",
    ";",
    "--",
    "/*",
    "*/",
    "%",
    "_",
    "\\",
    "(",
    ")",
    "?1",
    ":id",
    "@id",
    "$id",
    "\n",
    "'; DROP TABLE entries;--",
    "' OR 1=1--",
    "') OR ('1'='1",
    "x' UNION SELECT sql FROM sqlite_schema--",
    "'; PRAGMA writable_schema=1;--",
    "'; ATTACH 'other.db' AS o;--",
    "\u{2bc}",
    "order",
];

/// What an attacker writes into a field.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::collection::vec(prop::sample::select(&PIECES[..]), 1..6).prop_map(|pieces| pieces.concat()),
        1 => "[^\\x00]{1,40}",
    ]
}

#[derive(Debug)]
struct Hostile {
    id: String,
    source: String,
    operation: String,
    endpoint: String,
    hostname: String,
    suffix: String,
    raw_line: String,
}

fn any_entry() -> impl Strategy<Value = Hostile> {
    (hostile(), hostile(), hostile(), hostile(), hostile(), hostile(), hostile()).prop_map(
        |(id, source, operation, endpoint, hostname, suffix, raw_line)| Hostile {
            id,
            source,
            operation,
            endpoint,
            hostname,
            suffix,
            raw_line,
        },
    )
}

/// All statements that made the database.
fn schema(store: &TempStore) -> Vec<Option<String>> {
    let file = rusqlite::Connection::open(store.folder.path().join("tracehub.db")).expect("the file opens");
    let mut statement = file.prepare("SELECT sql FROM sqlite_schema ORDER BY name").expect("a statement");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("text")
}

/// Stores an entry and asks for it by everything that it says.
fn store_and_find(store: &mut TempStore, entry: &Hostile, number: u32) -> Result<(), TestCaseError> {
    // The number makes the chain this case's own.
    let id = format!("{number}{}", entry.id);
    let timestamp = f64::from(number);
    let body = json!({ "traces": [{
        "source_id": entry.source, "correlation_id": id, "timestamp": timestamp, "suffix": entry.suffix,
        "direction": "->", "operation": entry.operation, "endpoint": entry.endpoint, "hostname": entry.hostname,
        "data": { "text": entry.raw_line }, "raw_line": entry.raw_line,
    }] });
    let batch = IngestBatch::parse(body.to_string().into_bytes()).expect("a valid batch");
    prop_assert_eq!(store.writer.ingest(&[batch], i64::from(number)).expect("it is stored")[0].inserted(), 1);
    let mut seen = Vec::new();
    let filter = ChainFilter { source_id: Some(&entry.source), since_timestamp: None };
    store
        .reader
        .chain(&id, filter, &mut |found| {
            seen.push((
                [found.correlation_id, found.source_id, found.operation, found.endpoint, found.hostname, found.suffix]
                    .map(str::to_owned),
                found.raw_line.map(str::to_owned),
            ));
        })
        .expect("the chain is read");
    let said =
        [&id, &entry.source, &entry.operation, &entry.endpoint, &entry.hostname, &entry.suffix].map(Clone::clone);
    prop_assert_eq!(seen, [(said, Some(entry.raw_line.clone()))]);
    let query = ChainQuery {
        prefix: Some(id.clone()),
        place: PlaceFilter {
            source_id: Some(entry.source.clone()),
            endpoint: Some(entry.endpoint.clone()),
            hostname: Some(entry.hostname.clone()),
            operation: Some(entry.operation.clone()),
        },
        ..ChainQuery::newest(10)
    };
    let found: Vec<String> = store
        .reader
        .correlations(&query)
        .expect("a page")
        .chains
        .into_iter()
        .map(|chain| chain.correlation_id)
        .collect();
    prop_assert_eq!(found, [id]);
    Ok(())
}

#[test]
fn text_that_looks_like_sql_is_stored_found_and_given_back_and_nothing_else_happens() {
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config);
    let store = RefCell::new(TempStore::new());
    let before = schema(&store.borrow());
    let number = RefCell::new(0);
    let outcome = runner.run(&any_entry(), |entry| {
        *number.borrow_mut() += 1;
        store_and_find(&mut store.borrow_mut(), &entry, *number.borrow())
    });
    outcome.unwrap();
    let store = store.into_inner();
    assert_eq!(schema(&store), before);
    assert_eq!(rows(&store, "entries"), CASES as usize);
    assert_eq!(
        std::fs::read_dir(store.folder.path())
            .unwrap()
            .filter(|file| {
                let name = file.as_ref().unwrap().file_name();
                !name.to_string_lossy().contains("tracehub.db")
            })
            .count(),
        0,
        "no other file was made"
    );
}
