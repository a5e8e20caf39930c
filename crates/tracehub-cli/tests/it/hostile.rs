//! Trace data comes from strangers. Whatever an entry holds, nothing of it steers the terminal that a command writes to,
//! nor what reads its text; JSON for programs is the same to the byte.

use proptest::prelude::*;
use tracehub_client::TraceEntry;
use tracehub_core::store::EntryId;
use tracehub_core::wire::calls::CallsAnswer;
use tracehub_core::wire::compare::CompareAnswer;
use tracehub_core::wire::read::{ChainWriter, RecentWriter, write_entry};

use crate::pty::Pty;
use crate::support::{Server, cli, run};

/// Marks of writing direction, line separators, and what hides its own place.
const HIDDEN: [char; 20] = [
    '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
    '\u{2028}', '\u{2029}', '\u{200b}', '\u{200e}', '\u{200f}', '\u{61c}', '\u{feff}', '\u{2060}', '\u{206f}',
    '\u{fff9}', '\u{fffb}',
];

/// Whether a text holds anything but characters that are seen, spaces, tabs and line ends.
fn steers(text: &str) -> bool {
    text.contains(|character: char| {
        (character.is_control() && !"\n\t".contains(character)) || HIDDEN.contains(&character)
    })
}

/// Text with at least one character that steers terminals, a name that tells it from others, and some letters.
fn harmful() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        prop::char::range('\0', '\u{8}'),
        prop::char::range('\u{b}', '\u{1f}'),
        prop::char::range('\u{7f}', '\u{9f}'),
        prop::sample::select(HIDDEN.as_slice()),
        prop::char::range('a', 'z'),
    ];
    (
        prop::collection::vec(one, 0..8),
        prop::sample::select(vec!["\u{1b}[2J", "\u{1b}]52;c;QQ\u{7}", "\u{9b}1m", "\u{202e}"]),
    )
        .prop_map(|(characters, sequence)| characters.into_iter().collect::<String>() + sequence)
}

/// An entry with the same text everywhere, as a server may have it.
fn entry(text: &str, direction: &str, at: f64) -> TraceEntry {
    let json = serde_json::json!({
        "source_id": text, "correlation_id": format!("c{text}"), "timestamp": 1_706_803_200_000.0 + at, "suffix": text,
        "direction": direction, "operation": text, "endpoint": text, "data": {text: [text]}, "hostname": text,
        "raw_line": text,
    });
    serde_json::from_value(json).expect("an entry")
}

fn json(entry: &TraceEntry) -> String {
    let mut json = Vec::new();
    write_entry(&mut json, &entry.as_ref());
    String::from_utf8(json).expect("JSON is text")
}

/// A server whose every answer is full of the text.
fn server(text: &str, entries: &[TraceEntry]) -> Server {
    let mut chain = ChainWriter::new(&format!("c{text}"));
    let mut recent = RecentWriter::default();
    let mut events = String::new();
    for (id, entry) in (1_i64..).zip(entries) {
        chain.push(&entry.as_ref());
        recent.push(EntryId(id), &entry.as_ref());
        events = events + "id: " + &id.to_string() + "\ndata: " + &json(entry) + "\n\n";
    }
    events += "data: {\"type\": \"timeout\"}\n\n";
    let calls = |entries: &[TraceEntry]| CallsAnswer::new(text, entries.iter().map(TraceEntry::as_ref), true);
    let compared = CompareAnswer::new(&calls(entries), &calls(&entries[1..]));
    let list = serde_json::json!({"correlations": [{"correlation_id": format!("c{text}"), "trace_count": 1,
        "first_ts": 1.0, "last_ts": 1.0, "duration_ms": 0, "sources": [text], "complete": false}], "count": 1});
    let health = serde_json::json!({"status": "healthy", "service": text, "db": text, "retention_hours": 24});
    let stats = serde_json::json!({"version": text, "uptime_seconds": 1.0, "stored": {"entries": 1, "chains_at_most": 1,
        "newest_id": 1, "database_bytes": 1, "wal_bytes": 1}, "queue": {"entries": 0, "bytes": 0}, "streams": 0,
        "since_start": {"inserted": 1, "duplicates": 0, "refused_requests": 0}});
    let refusal = serde_json::json!({"error": "invalid", "message": text});
    let answer = |path, body: Vec<u8>| (path, 200, "application/json", String::from_utf8(body).expect("JSON is text"));
    Server::answering(vec![
        ("/traces/c/stream", 200, "text/event-stream", events.clone()),
        ("/stream", 200, "text/event-stream", events),
        answer("/traces/c", chain.finish()),
        answer("/recent", recent.finish(EntryId(3))),
        answer("/compare", serde_json::to_vec(&compared).expect("JSON")),
        answer("/correlations", list.to_string().into()),
        answer("/health", health.to_string().into()),
        answer("/stats", stats.to_string().into()),
        ("/ingest", 422, "application/json", refusal.to_string()),
        ("/cleanup", 400, "application/json", refusal.to_string()),
    ])
}

/// What a terminal gets on both streams. No colours, so that what steers it is not ours.
fn on_a_terminal(url: &str, args: &[&str]) -> String {
    let pty = Pty::sized(90, 60);
    let mut command = cli(url, &[args, &["--no-pager", "--color", "never"]].concat());
    command.stdout(pty.terminal()).stderr(pty.terminal());
    let mut child = command.spawn().expect("it runs");
    drop(command);
    // A line of progress is taken away before anything is said.
    let seen = pty.read().replace("\r\n", "\n").replace("\r\u{1b}[K", "");
    child.wait().expect("it ends");
    seen
}

proptest! {
    // Each case starts some thirty processes.
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_control_byte_of_an_entry_reaches_the_output(
        text in harmful(),
        direction in prop_oneof![Just("\u{1b}]52;c;\u{7}".to_owned()), Just("\u{202e}".to_owned())],
    ) {
        let entries = [entry(&text, "->", 1.0), entry(&text, &direction, 2.0), entry(&text, "<-", 9.0)];
        let server = server(&text, &entries);
        for command in [
            &["correlations"][..],
            &["show", "c"],
            &["show", "c", "--log"],
            &["tail", "--no-follow"],
            &["tail", "c", "--no-follow"],
            &["recent"],
            &["diff", "c", "c"],
            &["health"],
            &["stats"],
            &["send", "--id", "c"],
            &["cleanup", "-y"],
            &["show", "unknown"],
        ] {
            for format in ["table", "raw"] {
                let args = [command, &["-o", format]].concat();
                let seen = on_a_terminal(&server.url, &args);
                prop_assert!(!seen.is_empty() && !steers(&seen), "{:?} on a terminal: {:?}", args, seen);
                let (_, out, err) = run(&server.url, &args);
                prop_assert!(!steers(&out) && !steers(&err), "{:?} in a pipe: {:?} {:?}", args, out, err);
            }
            // A terminal is spared by JSON too.
            let seen = on_a_terminal(&server.url, &[command, &["-o", "json"]].concat());
            prop_assert!(!steers(&seen), "{:?} as JSON on a terminal: {:?}", command, seen);
        }
        // A program gets every byte.
        let lines: String = entries.iter().map(|entry| json(entry) + "\n").collect();
        prop_assert_eq!(&run(&server.url, &["tail", "--no-follow", "-o", "ndjson"]).1, &lines);
        prop_assert_eq!(&run(&server.url, &["export", "c", "-o", "raw"]).1, &lines);
    }
}
