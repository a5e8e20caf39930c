//! Every command's output as it was approved: as a table on a terminal of 100 columns, at a time that stands still, and
//! as JSON for programs.

use tracehub_client::{CallsAnswer, CompareAnswer, TraceEntry};
use tracehub_core::store::EntryId;
use tracehub_core::wire::read::{ChainWriter, RecentWriter, write_entry};

use crate::loading::feed;
use crate::pty::Pty;
use crate::support::{Answer, Server, cli, run};

/// 2024-02-01 16:00:00 UTC.
const START: f64 = 1_706_803_200_000.0;
/// Three minutes and five seconds later.
const AS_OF: &str = "1706803385000";

/// A checkout through three services; `charged` is when the payment came back, if it did.
fn checkout(id: &str, charged: Option<f64>) -> Vec<TraceEntry> {
    let end = charged.unwrap_or(500.0);
    let mut entries = vec![
        ("GW", "edge-1", "->", "REST", "/checkout", 0.0),
        ("ORD", "app-2", "->", "REST", "/orders", 2.0),
        ("ORD", "app-2", "->", "SQL", "insert into orders", 3.0),
        ("ORD", "app-2", "<-", "SQL", "insert into orders", 9.0),
        ("ORD", "app-2", "retry", "CALL", "payment /charge", 10.0),
        ("PAY", "pay-1", "->", "REST", "/charge", 14.0),
    ];
    entries.extend(charged.map(|charged| ("PAY", "pay-1", "<-", "REST", "/charge", charged)));
    entries.extend([
        ("ORD", "app-2", "<-", "REST", "/orders", end + 3.0),
        ("GW", "edge-1", "<-", "REST", "/checkout", end + 4.0),
    ]);
    let made = entries.into_iter().enumerate().map(|(place, (source, host, direction, operation, endpoint, at))| {
        let entry = TraceEntry::builder(source, id).hostname(host).direction(direction.into()).operation(operation);
        let entry = entry.endpoint(endpoint).timestamp(START + at).suffix(format!("s{place}"));
        let entry = if place == 0 { entry.data_json(r#"{"user":7,"items":[1,2]}"#) } else { entry };
        let line = format!("16:00:00\t{source} {direction} {endpoint}");
        if place < 2 { entry.raw_line(line) } else { entry }.build().expect("an entry")
    });
    made.collect()
}

fn chain(entries: &[TraceEntry]) -> String {
    let mut writer = ChainWriter::new(entries[0].correlation_id());
    for entry in entries {
        writer.push(&entry.as_ref());
    }
    String::from_utf8(writer.finish()).expect("JSON is text")
}

fn stream(entries: &[TraceEntry]) -> String {
    let event = |(id, entry): (u32, &TraceEntry)| {
        let mut json = Vec::new();
        write_entry(&mut json, &entry.as_ref());
        format!("id: {id}\ndata: {}\n\n", String::from_utf8(json).expect("JSON is text"))
    };
    (1..).zip(entries).map(event).collect::<String>() + "data: {\"type\": \"timeout\"}\n\n"
}

/// A hub with a good checkout and one that hangs.
pub(crate) fn hub() -> Server {
    let (good, hung) = (checkout("order-42", Some(40.0)), checkout("order-43", None));
    let calls = |entries: &[TraceEntry]| {
        CallsAnswer::new(entries[0].correlation_id(), entries.iter().map(TraceEntry::as_ref), true)
    };
    let compared = CompareAnswer::new(&calls(&good), &calls(&hung));
    let mut recent = RecentWriter::default();
    for (id, entry) in (1..).zip(&hung) {
        recent.push(EntryId(id), &entry.as_ref());
    }
    let list = r#"{"correlations":[
        {"correlation_id":"order-43","trace_count":8,"first_ts":1706803200000.0,"last_ts":1706803200504.0,"duration_ms":504,"sources":["GW","ORD","PAY"],"complete":false},
        {"correlation_id":"order-42","trace_count":9,"first_ts":1706803200000.0,"last_ts":1706803200044.0,"duration_ms":44,"sources":["GW","ORD","PAY"],"complete":true},
        {"correlation_id":"import-of-a-whole-catalogue-that-somebody-gave-a-name-which-no-terminal-can-hold","trace_count":120000,"first_ts":1706716800000.0,"last_ts":1706720400000.0,"duration_ms":3600000,"sources":["CATALOGUE","IMPORTER","SEARCH"],"complete":true}],
        "count":3}"#;
    let json = |path, body: String| -> Answer { (path, 200, "application/json", body) };
    let events = |path, entries: &[TraceEntry]| -> Answer { (path, 200, "text/event-stream", stream(entries)) };
    Server::answering(vec![
        events("/traces/order-43/stream", &hung),
        events("/stream", &[good.as_slice(), &hung].concat()),
        json("/traces/order-42", chain(&good)),
        json("/traces/order-43", chain(&hung)),
        json("/traces/", r#"{"correlation_id":"x","traces":[],"count":0,"complete":false}"#.to_owned()),
        json("/recent", String::from_utf8(recent.finish(EntryId(8))).expect("JSON is text")),
        json("/compare", serde_json::to_string(&compared).expect("JSON")),
        json("/correlations", list.to_owned()),
        json("/cleanup", r#"{"deleted":1204}"#.to_owned()),
        json(
            "/health",
            r#"{"status":"healthy","service":"tracehub","db":"/var/lib/tracehub/traces.db","retention_hours":24}"#
                .to_owned(),
        ),
        json(
            "/stats",
            r#"{"version":"0.1.0","uptime_seconds":11220.5,"stored":{"entries":1204331,"chains_at_most":20000,"newest_id":1300000,"database_bytes":178400000,"wal_bytes":4194304},"queue":{"entries":1,"bytes":512},"streams":2,"since_start":{"inserted":1204331,"duplicates":12,"refused_requests":1}}"#
                .to_owned(),
        ),
        json("/ingest", r#"{"accepted":1,"inserted":1,"duplicates":0}"#.to_owned()),
    ])
}

/// What a terminal of 100 columns shows.
fn on_a_terminal(url: &str, args: &[&str]) -> String {
    let pty = Pty::sized(100, 60);
    let mut command = cli(url, &[args, &["--as-of", AS_OF, "--no-pager", "--color", "never"]].concat());
    let mut child = command.stdout(pty.terminal()).spawn().expect("it runs");
    // The command has a handle of the terminal too, which would keep it open.
    drop(command);
    let seen = pty.read().replace("\r\n", "\n");
    assert!(child.wait().expect("it ends").success(), "{args:?}: {seen}");
    seen.replace(url, "http://hub")
}

/// Compares with what was approved; `INSTA_UPDATE=always` approves what there is.
fn check(name: &str, args: &[&str]) {
    let hub = hub();
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_description(format!("tracehub-cli {}", args.join(" ")));
    settings.bind(|| insta::assert_snapshot!(name, on_a_terminal(&hub.url, args)));
    let (code, out, err) = run(&hub.url, &[args, &["-o", "json"]].concat());
    assert_eq!((code, err.as_str()), (0, ""), "{args:?}");
    settings.bind(|| insta::assert_snapshot!(format!("{name}_json"), out.replace(&hub.url, "http://hub")));
}

#[test]
fn correlations() {
    check("correlations", &["correlations"]);
    check("correlations_relative", &["correlations", "--incomplete", "--relative"]);
}

#[test]
fn show() {
    check("show", &["show", "order-43"]);
    check("show_complete", &["show", "order-42"]);
    check("show_log", &["show", "order-43", "--log"]);
}

#[test]
fn tail() {
    check("tail", &["tail", "--no-follow"]);
    check("tail_one", &["tail", "order-43", "--no-follow", "--source", "PAY"]);
}

#[test]
fn recent() {
    check("recent", &["recent", "-n", "8"]);
}

#[test]
fn diff() {
    check("diff", &["diff", "order-42", "order-43"]);
}

#[test]
fn tools() {
    check("health", &["health"]);
    check("stats", &["stats"]);
    check("cleanup", &["cleanup", "--yes"]);
    check("send", &["send", "--id", "order-42", "--source", "MA", "--endpoint", "/orders"]);
}

/// What other text a command writes, as it was approved.
fn check_text(name: &str, args: &[&str], text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_description(format!("tracehub-cli {}", args.join(" ")));
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn config_show() {
    let hub = hub();
    let args = ["config", "show", "--utc"];
    let settings = |extra: &[&str]| {
        let pty = Pty::sized(100, 60);
        let mut command = cli(&hub.url, &[&args, extra].concat());
        command.env("HOME", "/home/ann").env("TRACEHUB_SECRET", "hunter2").stdout(pty.terminal());
        let mut child = command.spawn().expect("it runs");
        drop(command);
        let seen = anstream::adapter::strip_str(&pty.read().replace("\r\n", "\n")).to_string();
        assert!(child.wait().expect("it ends").success(), "{seen}");
        seen
    };
    // The port is another one each time, and columns are as wide as what is in them.
    let padded = format!("{:width$}", "http://hub", width = hub.url.len());
    check_text("config_show", &args, &settings(&[]).replace(&hub.url, &padded));
    check_text("config_show_json", &args, &settings(&["-o", "json"]).replace(&hub.url, "http://hub"));
}

#[test]
fn export_and_import() {
    let hub = hub();
    let exported = run(&hub.url, &["export", "order-42"]).1;
    // Lines of JSON whatever is asked for.
    for format in ["table", "json", "ndjson", "raw"] {
        assert_eq!(run(&hub.url, &["export", "order-42", "-o", format]), (0, exported.clone(), String::new()));
    }
    check_text("export", &["export", "order-42"], &exported);
    let counts = |args: &[&str]| {
        let (code, out, err) = feed(&hub.url, args, "{\"source_id\":\"MA\"}\nnot JSON\n");
        format!("{out}{err}$ echo $?\n{code}\n")
    };
    let refused = |args: &[&str]| counts(args).replace(&hub.url, "http://hub");
    check_text("import", &["import"], &refused(&["import"]));
    check_text("import_json", &["import", "-o", "json"], &refused(&["import", "-o", "json"]));
}

#[test]
fn help() {
    let of = |args: &[&str]| {
        let (code, out, err) = run("http://127.0.0.1:1", args);
        assert_eq!((code, err.as_str()), (0, ""), "{args:?}");
        format!("$ tracehub-cli {}\n{out}\n", args.join(" "))
    };
    let commands = [
        "correlations",
        "show",
        "tail",
        "recent",
        "diff",
        "health",
        "stats",
        "cleanup",
        "send",
        "export",
        "import",
        "serve",
        "completions",
        "man",
        "config",
    ];
    // Of each command what it has beside what all have; the program's own help shows that.
    let texts = commands.map(|command| {
        let text = of(&["help", command]);
        let own = text.split("\nConnection:\n").next().unwrap_or(&text).to_owned();
        let after = text
            .split_once("--no-pager")
            .map_or("", |(_, rest)| rest.split_once("\n\n").map_or("", |(_, after)| after));
        own + "\n…\n\n" + after
    });
    check_text("help", &["--help"], &(of(&["--help"]) + &texts.concat()));
}

#[test]
fn manual_page() {
    // The name of a version is in it.
    let page = run("http://127.0.0.1:1", &["man", "show"]).1.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    check_text("man_show", &["man", "show"], &page);
}

#[test]
fn what_goes_wrong() {
    let hub = hub();
    let of = |url: &str, args: &[&str]| {
        let (code, out, err) = run(url, args);
        assert_eq!(out, "", "{args:?}");
        format!("$ tracehub-cli {}\n{err}$ echo $?\n{code}\n\n", args.join(" ")).replace(&hub.url, "http://hub")
    };
    let answering = |status, body: &str| Server::json("/", status, body);
    let error = |name: &str, message: &str| format!(r#"{{"error":"{name}","message":"{message}"}}"#);
    let (nobody, secret) = ("http://127.0.0.1:1", answering(401, &error("unauthorized", "this asks for a secret")));
    let busy = answering(503, &error("overloaded", "as much is waiting as may wait"));
    let (python, other) = (answering(404, r#"{"detail":"Not Found"}"#), answering(200, "<html>"));
    let all = [
        of(nobody, &["stats"]),
        of(&hub.url, &["show", "order-99"]),
        of(&secret.url, &["recent"]),
        of(&busy.url, &["stats"]),
        of(&python.url, &["diff", "a", "b"]).replace(&python.url, "http://python"),
        of(&python.url, &["health"]).replace(&python.url, "http://python"),
        of(&other.url, &["health"]).replace(&other.url, "http://other"),
        of(nobody, &["cleanup"]),
        of(nobody, &["--url", "hub:8099", "health"]),
        of(nobody, &["--config", "/no/such/file", "health"]),
        of(nobody, &["send", "/no/such/file"]),
        of(nobody, &["send", "--id", "c", "--data", "[1]"]),
        of(nobody, &["man", "frobnicate"]),
        of(nobody, &["show", ""]),
        of(nobody, &["tail", "--since", "yesterday"]),
        of(nobody, &["send"]),
    ];
    check_text("what_goes_wrong", &[], &all.concat());
}

#[test]
fn lines_for_programs() {
    let hub = hub();
    let of = |args: &[&str]| {
        let (code, out, err) = run(&hub.url, args);
        assert_eq!((code, err.as_str()), (0, ""), "{args:?}");
        format!("$ tracehub-cli {}\n{out}\n", args.join(" "))
    };
    let all = [
        &["correlations", "-o", "ndjson"][..],
        &["correlations", "-o", "raw"],
        &["show", "order-42", "-o", "ndjson"],
        &["show", "order-42", "--raw"],
        &["recent", "-o", "ndjson"],
        &["diff", "order-42", "order-43", "-o", "ndjson"],
    ];
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("lines_for_programs", all.map(of).concat()));
}
