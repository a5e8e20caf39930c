//! Every exchange that was recorded of the original, sent again in its order.
//!
//! A row must give the original's status and, where that is a success, its JSON (or its stream's bytes), and on 422 its
//! places of fault. Rows where this server differs on purpose are listed with the reason and what it answers instead.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::Server;

const RECORDED: &str = include_str!("fixtures/exchanges-0.1.0.jsonl");

#[derive(Debug, Deserialize)]
struct Exchange {
    name: String,
    method: String,
    path: String,
    headers: std::collections::BTreeMap<String, String>,
    body: Option<String>,
    status: u16,
    allow: Option<String>,
    location: Option<String>,
    response_body: String,
}

/// Where this server differs: the row, its own status, and why.
const DIFFERENT: &[(&str, u16, &str)] = &[
    ("root", 200, "the page is there"),
    ("health-head", 200, "HEAD is answered"),
    ("docs-ui", 404, "no page is loaded from other hosts"),
    ("ingest-dup-same-key-other-fields", 200, "another source is another entry"),
    ("ingest-batch-within-dups", 200, "another direction is another entry"),
    ("traces-c2", 200, "another direction is another entry"),
    ("traces-dempty", 200, "an empty object stays an empty object"),
    ("ingest-data-hugeint", 422, "1e400 could not be read back"),
    ("ingest-data-nan", 422, "NaN is no JSON"),
    ("traces-nan", 200, "NaN was refused"),
    ("ingest-data-deep300", 422, "deep data could not be read back"),
    ("traces-deep", 200, "deep data was refused"),
    ("traces-extra", 200, "the record lacks the request that stored it"),
    ("ingest-ts-string-number", 422, "timestamps are numbers"),
    ("ingest-ts-string-number-ws", 422, "timestamps are numbers"),
    ("ingest-ts-string-bad", 422, "a text is of the wrong type, whatever it says"),
    ("ingest-ts-string-nan", 422, "timestamps are numbers"),
    ("ingest-ts-bool", 422, "timestamps are numbers"),
    ("traces-ts", 200, "texts and booleans were refused"),
    ("ingest-two-errors", 422, "a text is of the wrong type, whatever it says"),
    ("ingest-lone-surrogate", 422, "the original loses it"),
    ("ingest-nul-char", 422, "U+0000 cannot be an index key everywhere"),
    ("traces-nul", 200, "U+0000 was refused"),
    ("ingest-empty-strings", 422, "an empty correlation id names no chain"),
    ("correlations-after-empty", 200, "the empty correlation id was refused"),
    ("traces-slash-pct", 200, "ids with a slash can be read back"),
    ("traces-slash-only-pct", 200, "ids with a slash can be read back"),
    ("traces-id-named-stream", 200, "an id that ends in /stream is an id"),
    ("correlations-comma", 200, "a source with a comma is one source"),
    ("ingest-ct-textplain", 415, "the body must be declared as JSON"),
    ("ingest-ct-form", 415, "the body must be declared as JSON"),
    ("ingest-ct-missing", 415, "the body must be declared as JSON"),
    ("traces-big11", 200, "a body of 11 MB is refused"),
    ("t-since-ts", 200, "since_ts filters"),
    ("t-same-ts-order", 200, "ties are in order of arrival, not of suffix"),
    ("c-limit-neg", 422, "limit is 0 to 10000"),
    ("c-limit-huge", 422, "limit is 0 to 10000"),
    ("c-limit-overflow", 422, "limit is 0 to 10000"),
    ("cors-preflight-post", 405, "no other origin is let in"),
    ("cors-preflight-get", 405, "no other origin is let in"),
    ("cors-preflight-unknown-route", 404, "no other origin is let in"),
    ("cors-preflight-bad-method", 405, "no other origin is let in"),
    ("cors-on-422", 403, "no other origin is let in"),
    ("ingest-ts-string-inf", 422, "timestamps are finite"),
    ("traces-tsinf", 200, "infinity was refused"),
    ("ingest-ts-1e400", 422, "timestamps are finite"),
    ("traces-ts400", 200, "infinity was refused"),
    ("stream-tsinf", 200, "infinity was refused"),
    ("c-after-inf", 200, "infinity was refused"),
    ("c-after-inf-limit1", 200, "infinity was refused"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recorded_exchange() {
    let server = Server::start();
    let mut rows = 0;
    let mut differences = DIFFERENT.iter().map(|(name, ..)| *name).collect::<Vec<_>>();
    for line in RECORDED.lines() {
        let recorded: Exchange = serde_json::from_str(line).unwrap();
        rows += 1;
        differences.retain(|name| *name != recorded.name);
        replay(&server, &recorded).await;
    }
    assert_eq!(rows, 169);
    assert!(differences.is_empty(), "no row has the names {differences:?}");
}

async fn replay(server: &Server, recorded: &Exchange) {
    let name = &recorded.name;
    let method = Method::from_bytes(recorded.method.as_bytes()).expect("a method");
    let mut request = server.request(method, &recorded.path);
    for (header, value) in &recorded.headers {
        request = request.header(header, value);
    }
    if let Some(body) = &recorded.body {
        request = request.body(body_bytes(name, body));
    }
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let text = response.text().await.expect("a body of text");
    let context = format!("{name}: {status} {text}");

    assert!(!headers.contains_key("access-control-allow-origin"), "{context}");
    if let Some((_, expected, why)) = DIFFERENT.iter().find(|(row, ..)| row == name) {
        assert_eq!(status, *expected, "{context} ({why})");
        if status >= 400 {
            let body: Value = serde_json::from_str(&text).expect("a refusal is JSON");
            assert!(body["error"].is_string() && body["message"].is_string(), "{context}");
        }
        return;
    }
    assert_eq!(status, recorded.status, "{context}");
    if let Some(allow) = &recorded.allow {
        let ours = headers.get("allow").and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert!(ours.split(", ").any(|method| method == allow), "{context}");
    }
    if let Some(location) = &recorded.location {
        let ours = headers.get("location").and_then(|value| value.to_str().ok()).expect("a location");
        assert!(location.ends_with(ours) && ours.starts_with('/'), "{context}");
    }
    if recorded.path.contains("/stream") && status == 200 {
        assert_eq!(headers["content-type"], "text/event-stream; charset=utf-8", "{context}");
        let without_ids: String = text.split_inclusive('\n').filter(|line| !line.starts_with("id: ")).collect();
        assert_eq!(without_ids, recorded.response_body, "{name}");
    } else if !recorded.response_body.is_empty() && recorded.method != "HEAD" {
        let ours: Value = serde_json::from_str(&text).expect(&context);
        let theirs: Value = serde_json::from_str(&recorded.response_body).expect("recorded JSON");
        compare(recorded, status, &ours, &theirs);
    }
}

/// The bytes of the two bodies that a text file cannot hold.
fn body_bytes(name: &str, body: &str) -> Vec<u8> {
    match name {
        "ingest-invalid-utf8" => {
            let (before, after) = body.split_once('\u{fffd}').expect("the bad bytes' place");
            [before.as_bytes(), b"\xff", after.replace('\u{fffd}', "").as_bytes()].concat()
        }
        "ingest-gzip-body" => vec![0x1f, 0x8b, 8, 0],
        _ => body.as_bytes().to_vec(),
    }
}

fn compare(recorded: &Exchange, status: u16, ours: &Value, theirs: &Value) {
    let name = &recorded.name;
    match status {
        200 if recorded.path.starts_with("/correlations") => {
            assert_eq!(ours["count"], json!(ours["correlations"].as_array().expect("a list").len()), "{name}");
            compare_lists(name, ours, theirs);
        }
        200 if recorded.path == "/health" => {
            for key in ["status", "service", "retention_hours"] {
                assert_eq!(ours[key], theirs[key], "{name}");
            }
        }
        200 => assert_eq!(ours, theirs, "{name}"),
        422 => assert_eq!(places(ours), places(theirs), "{name}: {ours}"),
        _ => assert_eq!(ours["detail"], theirs["detail"], "{name}"),
    }
}

/// Chains of one second have no fixed order in the original, so those that both list are compared by id.
fn compare_lists(name: &str, ours: &Value, theirs: &Value) {
    let count = |list: &Value| list["correlations"].as_array().expect("a list").len();
    let mut compared = 0;
    for their_chain in theirs["correlations"].as_array().expect("a list") {
        let mut chains = ours["correlations"].as_array().expect("a list").iter();
        let Some(our_chain) = chains.find(|chain| chain["correlation_id"] == their_chain["correlation_id"]) else {
            continue;
        };
        let id = our_chain["correlation_id"].as_str().expect("an id");
        // Chains of the rows that differ on purpose.
        if !["comma", "ts", "c1", "c2"].contains(&id) {
            assert_eq!(our_chain, their_chain, "{name}: {id}");
            compared += 1;
        }
    }
    assert!(compared > 0 || count(theirs) <= 2, "{name}: nothing to compare");
    assert!(count(ours) <= 50 && (count(theirs) > 2 || count(ours) == count(theirs)), "{name}");
}

/// Kinds and places of the faults, in order. A syntax error's offset is the parser's own.
fn places(body: &Value) -> Vec<(Value, Vec<Value>)> {
    body["detail"]
        .as_array()
        .expect("a list of faults")
        .iter()
        .map(|fault| {
            let mut loc = fault["loc"].as_array().expect("a place").clone();
            if fault["type"] == "json_invalid" {
                loc.retain(|step| !step.is_number());
            }
            (fault["type"].clone(), loc)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_original_cannot_do() {
    let server = Server::start();
    let odd = crate::support::entry("a/b c?d#e%f", 1.0, "s", "->");
    let mut empty = crate::support::entry("empty", 1.0, "s", "->");
    empty["data"] = json!({});
    let mut comma = crate::support::entry("comma", 1.0, "s", "->");
    comma["source_id"] = json!("A,B");
    let mut mark = crate::support::entry("marked", 2.0, "m", "checkpoint");
    mark["extra"] = json!("passed over");
    server.ingest(&[odd, empty, comma, mark]).await;
    assert_eq!(server.get("/traces/a%2Fb%20c%3Fd%23e%25f").await.1["count"], 1);
    assert_eq!(server.get("/traces/empty").await.1["traces"][0]["data"], json!({}));
    let (_, listed) = server.get("/correlations").await;
    let comma = listed["correlations"].as_array().unwrap().iter().find(|chain| chain["correlation_id"] == "comma");
    assert_eq!(comma.unwrap()["sources"], json!(["A,B"]));
    let (_, marked) = server.get("/traces/marked").await;
    assert_eq!((&marked["traces"][0]["direction"], &marked["complete"]), (&json!("checkpoint"), &json!(false)));
    let (_, listed) = server.get("/correlations?include=complete&limit=1").await;
    assert_eq!(listed["correlations"][0]["complete"], false);
    assert_eq!(server.get("/correlations?include=everything").await.0, 422);
    let (_, since) = server.get("/traces/marked?since_ts=2").await;
    assert_eq!(since["count"], 0);
}
