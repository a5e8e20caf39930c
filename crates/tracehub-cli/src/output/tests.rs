//! No view lets through what could steer a terminal, whoever sent it.

use proptest::prelude::*;
use serde_json::json;
use tracehub_client::{ChainAnswer, CompareAnswer, CorrelationsAnswer, TraceEntry};
use tracehub_core::wire::calls::CallsAnswer;

use super::escape::is_harmful;
use super::look::Look;
use super::{chains, diff, log, tree};

/// The text without line ends and without this program's own colours. What else steers a terminal stays.
fn without_colours(out: Vec<u8>) -> String {
    let text = String::from_utf8(out).unwrap().replace('\n', "");
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('m') {
            Some((code, rest)) if code.bytes().all(|byte| byte.is_ascii_digit() || byte == b';') => plain += rest,
            _ => plain = plain + "\u{1b}[" + part,
        }
    }
    plain
}

/// Read as a client reads it: a server's answer may hold what a builder would refuse.
fn entry(text: &str, direction: &str, timestamp: f64) -> TraceEntry {
    let json = json!({
        "source_id": text, "correlation_id": text, "timestamp": timestamp, "suffix": text, "direction": direction,
        "operation": text, "endpoint": text, "data": {"k": text}, "hostname": text, "raw_line": text,
    });
    serde_json::from_str(&json.to_string()).unwrap()
}

#[test]
fn what_is_taken_for_a_colour_is_one() {
    assert_eq!(without_colours(b"\x1b[1mred\x1b[0m\n".to_vec()), "red");
    assert!(without_colours(b"\x1b[2J".to_vec()).contains(is_harmful));
}

proptest! {
    #[test]
    fn no_control_character_of_an_entry_reaches_the_terminal(
        text in "\\PC{0,20}|[\\x00-\\x08\\x0a-\\x1f\\x7f-\\u{9f}\\u{202e}]{0,5}",
        direction in prop_oneof![Just("->"), Just("<-"), Just("\u{1b}]52")],
        width in prop_oneof![Just(None), (10_usize..120).prop_map(Some)],
    ) {
        let look = Look::fixed(60_000.0, width);
        let traces = vec![entry(&text, direction, 1.0), entry(&text, "->", 5.0), entry(&text, "<-", 9.0)];
        let calls = |traces: &[TraceEntry]| CallsAnswer::new(&text, traces.iter().map(TraceEntry::as_ref), true);
        let compared = CompareAnswer::new(&calls(&traces), &calls(&traces[1..]));
        let listed: CorrelationsAnswer = serde_json::from_value(json!({
            "correlations": [{"correlation_id": text, "trace_count": 1, "first_ts": 1.0, "last_ts": 1.0,
                "duration_ms": 0, "sources": [text], "complete": false}],
            "count": 1,
        })).unwrap();
        let answer = ChainAnswer { correlation_id: text, count: 3, complete: false, traces };

        let mut out = Vec::new();
        chains::table(&mut out, &listed, true, &look).unwrap();
        tree::chain(&mut out, &answer, &look).unwrap();
        log::chain(&mut out, &answer, &look).unwrap();
        log::entry(&mut out, &answer.traces[0], true, &look).unwrap();
        log::raw(&mut out, &answer.traces[0]).unwrap();
        diff::table(&mut out, &compared, &look).unwrap();
        prop_assert!(!without_colours(out).contains(is_harmful));
    }
}
