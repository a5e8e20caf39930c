//! Bodies that are nearly right, against the contract's simple reading.

use proptest::prelude::*;
use tracehub_core::wire::ingest::{IngestBatch, IngestError};
use tracehub_fuzz::ingest::check;

const ENTRY: &str = r#"{"source_id":"MA","correlation_id":"c1","timestamp":5,"suffix":"s","direction":"->","operation":"REST","endpoint":"/x","data":null}"#;

/// Text as JSON, escaped more or less; some of it is no text at all.
fn text() -> BoxedStrategy<String> {
    let escaped = |text: String| serde_json::to_string(&text).expect("text is JSON");
    let every_unit = |text: String| {
        let units: Vec<String> = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        format!("\"{}\"", units.concat())
    };
    prop_oneof![
        6 => any::<String>().prop_map(escaped),
        2 => any::<String>().prop_map(every_unit),
        2 => "[a-z<>-]{0,3}".prop_map(escaped),
        1 => prop::sample::select(vec![0, 1, 15, 16, 17, 255, 256, 257, 2048, 2049]).prop_map(|bytes| format!("\"{}\"", "x".repeat(bytes))),
        1 => any::<u16>().prop_map(|unit| format!("\"a\\u{unit:04x}b\"")),
        1 => prop::sample::select(vec![r#""\ud800""#, r#""\udc00\ud800""#, r#""\u0000""#, r#""\ud83d\ude80""#, "\"\0\"", "\"\\", "\"\u{7f}\""]).prop_map(str::to_owned),
    ]
    .boxed()
}

fn number() -> BoxedStrategy<String> {
    prop_oneof![
        4 => any::<u64>().prop_map(|bits| format!("{:?}", f64::from_bits(bits))),
        2 => any::<i64>().prop_map(|number| number.to_string()),
        2 => "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?",
        1 => prop::sample::select(vec!["-0.0", "0", "-0", "1e400", "-1e400", "1e-400", "NaN", "Infinity", "-inf", "00", "1.", ".5", "+1"]).prop_map(str::to_owned),
    ]
    .boxed()
}

fn json() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        text(),
        number(),
        prop::sample::select(vec!["null", "true", "false", "", " ", "nul"]).prop_map(str::to_owned)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let field = (prop_oneof![text(), Just("\"a\"".to_owned())], inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(" , "))),
            prop::collection::vec(field, 0..4).prop_map(|fields| {
                let fields: Vec<String> = fields.into_iter().map(|(key, value)| format!("{key} :\t{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
    .boxed()
}

/// The fields of an entry: mostly there, mostly once, mostly right.
fn entry() -> BoxedStrategy<String> {
    let names = ["source_id", "correlation_id", "suffix", "direction", "operation", "endpoint", "hostname", "raw_line"];
    let texts = names.map(|name| {
        let usual = if matches!(name, "direction" | "correlation_id") { "\"->\"" } else { "\"x\"" };
        (Just(name), prop_oneof![12 => Just(usual.to_owned()), 6 => text(), 1 => json()], 0..40_u8)
    });
    let numbers = (Just("timestamp"), prop_oneof![20 => number(), 1 => json()], 0..40_u8);
    let data = (
        Just("data"),
        prop_oneof![4 => json(), 2 => Just("null".to_owned()), 2 => Just("{ \"k\" : [1, \"a b\"] }".to_owned())],
        0..40_u8,
    );
    let other = (Just("other"), json(), 0..2_u8);
    let fields = (texts, numbers, data, other)
        .prop_map(|(texts, number, data, other)| texts.into_iter().chain([number, data, other]).collect::<Vec<_>>());
    fields
        .prop_shuffle()
        .prop_map(|fields| {
            let fields = fields.into_iter().flat_map(|(name, value, times)| {
                // Seldom not at all, seldom twice.
                let times = match times {
                    0 => 0,
                    1 => 2,
                    _ => 1,
                };
                vec![format!("\"{name}\":{value}"); times]
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        })
        .boxed()
}

fn body() -> BoxedStrategy<String> {
    let element = prop_oneof![8 => entry(), 1 => json(), 2 => Just(ENTRY.to_owned())];
    prop_oneof![
        8 => prop::collection::vec(element, 0..4).prop_map(|entries| format!("{{\"traces\":[{}]}}", entries.join(","))),
        2 => entry(),
        1 => json(),
    ]
    .boxed()
}

fn parse(body: &str) -> Result<IngestBatch, IngestError> {
    IngestBatch::parse(body.as_bytes().to_vec())
}

fn with_timestamp(number: &str) -> String {
    format!("{{\"traces\":[{}]}}", ENTRY.replace(":5,", &format!(":{number},")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_body_means_what_the_contract_says(body in body()) {
        check(body.as_bytes());
    }

    #[test]
    fn a_body_that_is_cut_or_changed_does_too(body in body(), place in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = body.into_bytes();
        if !bytes.is_empty() {
            let place = place.index(bytes.len());
            bytes[place] = byte;
            if cut {
                bytes.truncate(place);
            }
        }
        check(&bytes);
    }

    /// Every double is stored to its last bit or refused, and the two zeros are one.
    #[test]
    fn timestamps_keep_their_bits(bits in any::<u64>()) {
        let timestamp = f64::from_bits(bits);
        let parsed = parse(&with_timestamp(&format!("{timestamp:?}")));
        if timestamp.is_finite() {
            let stored = parsed.unwrap().entries().next().unwrap().timestamp;
            let expected = if timestamp == 0.0 { 0.0_f64 } else { timestamp };
            prop_assert_eq!(stored.to_bits(), expected.to_bits());
        } else {
            prop_assert!(matches!(parsed, Err(IngestError::Invalid(_))));
        }
    }
}

#[test]
fn the_two_zeros_are_one_and_what_is_no_number_is_refused() {
    for zero in ["-0.0", "0.0", "-0", "0", "-0e9", "1e-400", "-1e-400"] {
        let batch = parse(&with_timestamp(zero)).unwrap();
        assert_eq!(batch.entries().next().unwrap().timestamp.to_bits(), 0, "{zero}");
    }
    for wrong in ["NaN", "nan", "Infinity", "-Infinity", "inf", "1e400", "-1e400", "1e309", "\"5\"", "null", "true"] {
        let Err(IngestError::Invalid(faults)) = parse(&with_timestamp(wrong)) else { panic!("{wrong} is taken") };
        assert!(faults[0].to_string().starts_with("body.traces[0].timestamp"), "{wrong}: {}", faults[0]);
    }
}

#[test]
fn nesting_of_any_depth_is_judged_and_never_overflows_the_stack() {
    for (depth, is_taken) in
        [(1, true), (119, true), (120, true), (121, false), (127, false), (200, false), (100_000, false)]
    {
        for (open, close) in [("{\"a\":", "}"), ("[", "]")] {
            // The object that `data` must be is the first level.
            let inner = format!("{}1{}", open.repeat(depth - 1), close.repeat(depth - 1));
            let body = format!("{{\"traces\":[{}]}}", ENTRY.replace(":null", &format!(":{{\"a\":{inner}}}")));
            match parse(&body) {
                Ok(batch) => assert!(is_taken && batch.len() == 1, "{depth} levels"),
                Err(IngestError::Invalid(faults)) => {
                    assert!(!is_taken && faults[0].kind == "too_deep", "{depth} levels: {}", faults[0]);
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
    // Where nobody looks, depth does no harm; nor does what is never closed.
    for hostile in [
        format!("{{\"x\":{}{},\"traces\":[]}}", "[".repeat(100_000), "]".repeat(100_000)),
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        format!("{{\"traces\":{}", "[".repeat(100_000)),
        format!("{{\"traces\":[{}", "{\"data\":".repeat(100_000)),
    ] {
        check(hostile.as_bytes());
    }
}

#[test]
fn characters_that_no_store_can_hold_are_refused_with_their_place() {
    let fields = ["source_id", "correlation_id", "suffix", "direction", "operation", "endpoint", "hostname"];
    let entry = ENTRY.replace("\"data\":null", "\"hostname\":\"h\"");
    for field in fields {
        for wrong in ["a\\u0000b", "\\ud800", "\\udfff", "\\ud800\\ud800", "\\ud800x", "\\ud83d\\u0041"] {
            let object: serde_json::Value = serde_json::from_str(&entry).unwrap();
            let old = format!("\"{field}\":{}", object[field]);
            let body = format!("{{\"traces\":[{ENTRY},{}]}}", entry.replace(&old, &format!("\"{field}\":\"{wrong}\"")));
            let Err(IngestError::Invalid(faults)) = parse(&body) else { panic!("{field} {wrong} is taken") };
            assert_eq!(faults[0].kind, "string_unicode");
            assert!(faults[0].to_string().starts_with(&format!("body.traces[1].{field}: ")), "{}", faults[0]);
            check(body.as_bytes());
        }
    }
    for wrong in [&b"\xff"[..], b"\xed\xa0\x80", b"\xc0\x80", b"\xf5\x80\x80\x80"] {
        let body = [b"{\"traces\":[],\"x\":\"", wrong, b"\"}"].concat();
        assert_eq!(IngestBatch::parse(body).unwrap_err(), IngestError::NotUtf8);
    }
}
