//! `export`, and that `import` brings back the same bytes.

use proptest::prelude::*;
use tracehub_client::TraceEntry;
use tracehub_core::wire::read::write_entry;

use crate::hub::{CUT_OFF, Hub};
use crate::loading::feed;
use crate::support::{Server, run};

fn line(entry: &TraceEntry) -> String {
    let mut json = Vec::new();
    write_entry(&mut json, &entry.as_ref());
    String::from_utf8(json).expect("JSON is text") + "\n"
}

fn at(chain: &str, source: &str, timestamp: f64) -> TraceEntry {
    TraceEntry::builder(source, chain).timestamp(timestamp).endpoint("/x").hostname("web").build().expect("an entry")
}

#[test]
fn a_chain_comes_as_lines_and_everything_in_its_order() {
    let entries: Vec<TraceEntry> = (0..20_u32)
        .map(|n| at(if n % 2 == 0 { "c/1" } else { "d" }, if n % 3 == 0 { "MA" } else { "WK" }, f64::from(40 - n)))
        .collect();
    let hub = Hub::with(&entries);
    let text = |wanted: &dyn Fn(&TraceEntry) -> bool| {
        entries.iter().filter(|entry| wanted(entry)).map(line).collect::<String>()
    };
    let (code, out, err) = run(&hub.url, &["export", "--all", "-o", "json"]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, text(&|_| true).as_str(), ""));
    for (filter, wanted) in [
        (&["--source", "MA"][..], &(|entry: &TraceEntry| entry.source_id() == "MA") as &dyn Fn(&TraceEntry) -> bool),
        (&["--prefix", "c"], &|entry| entry.correlation_id() == "c/1"),
        (&["--host", "web", "--endpoint", "/x", "--operation", ""], &|_| true),
        (&["--host", "db"], &|_| false),
        (&["--endpoint", "/y"], &|_| false),
        (&["--operation", "REST"], &|_| false),
        (&["--since", "1970-01-01T00:00:00.035Z"], &|entry| entry.timestamp() >= 35.0),
    ] {
        let (code, out, _) = run(&hub.url, &[&["export", "--all"], filter].concat());
        assert_eq!((code, out), (0, text(wanted)), "{filter:?}");
    }
    let reversed: String = entries.iter().rev().filter(|entry| entry.correlation_id() == "c/1").map(line).collect();
    assert_eq!(run(&hub.url, &["export", "c/1"]).1, reversed);
}

#[test]
fn what_comes_during_an_export_of_everything_is_left_out() {
    let entries: Vec<TraceEntry> = (0..20_u32).map(|n| at("c", "MA", f64::from(n))).collect();
    let hub = Hub::with(&entries);
    hub.kept.lock().unwrap().late = Some(at("late", "MA", 99.0));
    let (code, out, _) = run(&hub.url, &["export", "--all"]);
    assert_eq!((code, out), (0, entries.iter().map(line).collect::<String>()));
}

#[test]
fn a_file_appears_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.ndjson");
    let name = file.to_str().unwrap();
    let one = at("c", "MA", 1.5);
    let hub = Hub::with(std::slice::from_ref(&one));
    let (code, out, err) = run(&hub.url, &["export", "c", "--output-file", name]);
    assert_eq!((code, out.as_str(), err), (0, "", format!("tracehub-cli: wrote 1 entry to {name}\n")));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), line(&one));
    // What cannot be had leaves what is there alone.
    let (code, _, err) = run(&hub.url, &["export", "nobody", "-O", name]);
    assert!(code == 3 && err.contains("\"nobody\""), "{err}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), line(&one));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no part is left");
    let (code, _, err) = run(&hub.url, &["export", "c", "-O", "/no/such/folder/c.ndjson"]);
    assert!(code == 1 && err.contains("/no/such/folder/c.ndjson"), "{err}");
}

#[test]
fn an_export_waits_for_a_server_that_was_there_and_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.ndjson");
    let entries: Vec<TraceEntry> = (0..20_u32).map(|n| at("c", "MA", f64::from(n))).collect();
    let hub = Hub::with(&entries);
    let (answered, gone, failing) = ((200, None, ""), (CUT_OFF, None, ""), (500, None, ""));
    // How far it goes, the first page, and then trouble with the second.
    hub.kept.lock().unwrap().refusals = [answered, answered, gone, failing, gone].into();
    let (code, _, err) = run(&hub.url, &["export", "--all", "-O", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), entries.iter().map(line).collect::<String>());
    // One that never was there is not waited for.
    hub.kept.lock().unwrap().refusals = [gone, gone].into();
    assert_eq!(run(&hub.url, &["export", "--all"]).0, 5);
    assert_eq!(hub.kept.lock().unwrap().refusals.len(), 1, "it asked once");
}

#[test]
fn each_failure_has_its_exit_code() {
    let nobody = "http://127.0.0.1:1";
    for args in [
        &["export"][..],
        &["export", "c", "--all"],
        &["export", "c", "--prefix", "c"],
        &["export", "--all", "--since", "x"],
    ] {
        assert_eq!(run(nobody, args).0, 2, "{args:?}");
    }
    assert_eq!(run(nobody, &["export", "c"]).0, 5);
    assert_eq!(run(nobody, &["export", "--all"]).0, 5);
    let refused = Server::json("/", 401, r#"{"error":"unauthorized","message":"who are you?"}"#);
    assert_eq!(run(&refused.url, &["export", "c"]).0, 4);
    let older = Server::json("/recent", 404, r#"{"detail":"Not Found"}"#);
    let (code, _, err) = run(&older.url, &["export", "--all"]);
    assert!(code == 1 && err.contains("GET /recent"), "{err}");
    let hub = Hub::new();
    assert_eq!(run(&hub.url, &["export", "c", "--source", "MA"]).0, 3);
    assert_eq!(run(&hub.url, &["export", "--all"]), (0, String::new(), String::new()));
}

fn entries() -> impl Strategy<Value = Vec<TraceEntry>> {
    let data = prop::sample::select(vec![
        None,
        Some("{}"),
        Some(r#"{"b":1,"a":123456789012345678901234567890,"c":1.50,"d":[1e5,-0,"\u00e9é\n"]}"#),
        Some(r#"{"":{"":null},"x":"\u202e\ud83d\ude80"}"#),
    ]);
    let time = prop_oneof![(0..9_u32).prop_map(f64::from), any::<f64>().prop_filter("finite", |time| time.is_finite())]
        // A hub keeps -0 as 0.
        .prop_map(|time| time + 0.0);
    let mark = prop::sample::select(vec!["->", "<-", "!", "note é"]);
    let chain = prop::sample::select(vec!["c1", "a/b c", "é%2F"]);
    let one = (chain, "[^\0]{0,12}", time, mark, "[^\0]{0,12}", data, prop::option::of(any::<String>()));
    prop::collection::vec(one, 1..40).prop_map(|all| {
        let built = all.into_iter().enumerate().map(|(n, (chain, source, time, mark, endpoint, data, raw))| {
            let mut entry =
                TraceEntry::builder(source, chain).timestamp(time).direction(mark.into()).endpoint(endpoint);
            entry = entry.suffix(n.to_string()).operation("REST");
            if let Some(data) = data {
                entry = entry.data_json(data);
            }
            if let Some(raw) = raw {
                entry = entry.raw_line(raw);
            }
            entry.build().expect("a valid entry")
        });
        built.collect()
    })
}

proptest! {
    // Each case starts six processes.
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_exported_imported_and_exported_is_the_same_to_the_byte(entries in entries()) {
        let (old, new) = (Hub::with(&entries), Hub::new());
        let (code, first, _) = run(&old.url, &["export", "--all"]);
        prop_assert_eq!(code, 0);
        prop_assert_eq!(&first, &entries.iter().map(line).collect::<String>());
        let (code, counts, err) = feed(&new.url, &["import"], &first);
        prop_assert_eq!((code, err.as_str()), (0, ""));
        prop_assert_eq!(counts, format!("accepted {0}: {0} inserted, 0 duplicates; refused 0\n", entries.len()));
        prop_assert_eq!(run(&new.url, &["export", "--all"]).1, first);
        let chain = entries[0].correlation_id();
        let one = run(&old.url, &["export", chain]).1;
        let other = Hub::new();
        prop_assert_eq!(feed(&other.url, &["send", "-"], &one).0, 0);
        prop_assert_eq!(run(&other.url, &["export", chain]).1, one);
    }
}
