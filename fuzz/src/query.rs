//! Query strings and correlation ids in paths: what is taken is within its range, is what was meant, and survives being
//! written and read again.

use std::fmt::Write as _;

use tracehub_core::query::ChainQuery;
use tracehub_server::fuzzing::{correlation_id, list_query, parameter};

/// Parameters that are texts.
const TEXTS: [&str; 5] = ["q", "source", "endpoint", "host", "operation"];
/// Times whose milliseconds a double holds exactly.
const EXACT_SECONDS: u64 = 1 << 40;

/// Checks any text as a query string, and as an id in a path.
///
/// # Panics
/// Something does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    check_query(text);
    check_path(text);
}

fn check_query(text: &str) {
    let pairs = pairs(text);
    let meant = |name: &str| {
        let mut values = pairs.iter().flatten().filter(|(key, _)| key == name).map(|(_, value)| value.clone());
        values.next_back().filter(|value| !value.is_empty())
    };
    for name in TEXTS {
        assert_eq!(parameter(text, name), meant(name), "{name}");
    }
    let Some(query) = list_query(text) else { return };
    assert!(pairs.is_some());
    assert!(query.limit <= 10_000);
    assert!(query.before.is_none_or(|before| before.0 >= 1));
    assert!(query.min_duration_ms.is_none_or(f64::is_finite));
    assert_eq!(query.complete, meant("status").map(|status| status == "complete"));
    assert_eq!(query.prefix, meant("q"));
    let place = [&query.place.source_id, &query.place.endpoint, &query.place.hostname, &query.place.operation];
    for (name, value) in TEXTS[1..].iter().zip(place) {
        assert_eq!(value, &meant(name), "{name}");
    }
    if query.active_since.is_none_or(|seconds| seconds.unsigned_abs() < EXACT_SECONDS) {
        assert_eq!(list_query(&written(&query)), Some(query));
    }
}

fn check_path(text: &str) {
    let Some(id) = correlation_id(&format!("/traces/{text}")) else { return };
    assert!(id.len() <= 256 && !id.contains('\0'));
    let segment = text.split('/').next().unwrap_or_default();
    assert_eq!(decoded(segment, false).as_ref(), Some(&id));
    // Written and read, an id is itself: two never become one.
    assert_eq!(correlation_id(&format!("/traces/{}/stream", encoded(&id))), Some(id));
}

/// Names and values, decoded; none if something is not UTF-8.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_at(pair.find('=').unwrap_or(pair.len()));
        Some((decoded(name, true)?, decoded(value.strip_prefix('=').unwrap_or(value), true)?))
    });
    pairs.collect()
}

/// Percent escapes, byte by byte; what only looks like one stays.
fn decoded(text: &str, plus_is_space: bool) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        out.push(match (byte, digit(at), digit(at + 1)) {
            (b'%', Some(high), Some(low)) => {
                at += 2;
                u8::try_from(high * 16 + low).expect("two hexadecimal digits")
            }
            (b'+', ..) if plus_is_space => b' ',
            _ => byte,
        });
    }
    String::from_utf8(out).ok()
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "%{byte:02x}");
        out
    })
}

fn written(query: &ChainQuery) -> String {
    let place = &query.place;
    let number = |number: Option<String>| number.map(|number| encoded(&number));
    let text = |text: &Option<String>| text.as_deref().map(encoded);
    let parameters = [
        ("limit", Some(query.limit.to_string())),
        ("cursor", number(query.before.map(|before| before.0.to_string()))),
        ("since", number(query.active_since.map(|seconds| (seconds * 1000).to_string()))),
        ("min_duration_ms", number(query.min_duration_ms.map(|duration| format!("{duration:?}")))),
        ("status", query.complete.map(|complete| if complete { "complete" } else { "incomplete" }.to_owned())),
        ("q", text(&query.prefix)),
        ("source", text(&place.source_id)),
        ("endpoint", text(&place.endpoint)),
        ("host", text(&place.hostname)),
        ("operation", text(&place.operation)),
    ];
    let given = parameters.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    given.collect::<Vec<_>>().join("&")
}
