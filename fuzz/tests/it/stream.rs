//! From the server's writer of events to the client's reader: nothing that stands in an entry can become an event.

use proptest::prelude::*;
use tracehub_client::fuzzing::events;
use tracehub_client::{Direction, EntryId, StreamEvent, TraceEntry};
use tracehub_fuzz::stream::{check, pieces};
use tracehub_server::fuzzing::stream_of;

/// What tries to be more than a text.
fn hostile() -> impl Strategy<Value = String> {
    let parts = vec![
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "\r\r",
        "data: ",
        "data: {}",
        "id: 999",
        "event: shutdown",
        "retry: 1",
        ": ",
        "\u{feff}",
        "\u{2028}",
        "\u{85}",
        "\u{b}",
        "\u{1b}[2J",
        "\"",
        "\\",
        "</script>",
        "{\"type\": \"timeout\"}",
        "%0a",
        "\\n",
        "é",
        "\u{10ffff}",
    ];
    let part = prop_oneof![2 => prop::sample::select(parts).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(part, 0..8).prop_map(|parts| {
        let mut text = parts.concat().replace('\0', "0");
        while text.len() > 200 {
            text.pop();
        }
        text
    })
}

fn entry() -> impl Strategy<Value = TraceEntry> {
    let texts = prop::array::uniform6(hostile());
    (texts, any::<bool>(), any::<f64>().prop_filter("finite", |number| number.is_finite())).prop_map(
        |([source, chain, suffix, operation, endpoint, other], is_mark, timestamp)| {
            let data = serde_json::json!({ other.clone(): [other, { "a": endpoint }] }).to_string();
            let mark: String = suffix.chars().take(4).collect();
            let direction = if is_mark && !mark.is_empty() { Direction::from(mark.as_str()) } else { Direction::Enter };
            let entry = TraceEntry::builder(source, format!("c{chain}")).direction(direction).timestamp(timestamp);
            let entry = entry.suffix(suffix).operation(operation).endpoint(endpoint).data_json(data).hostname(&*chain);
            entry.raw_line(chain).build().expect("it keeps the limits")
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_entry_is_one_event_and_comes_back_as_it_is(entries in prop::collection::vec(entry(), 0..6), seed in any::<u8>()) {
        let ids = (1..).map(EntryId);
        let stream = stream_of(ids.clone().zip(entries.iter().map(TraceEntry::as_ref)));
        let (found, last_id) = events(pieces(&stream, seed));
        let mut expected: Vec<_> = ids.zip(&entries).map(|(id, entry)| Ok(StreamEvent::Entry { id: Some(id.0), entry: entry.clone() })).collect();
        expected.push(Ok(StreamEvent::Timeout));
        prop_assert_eq!(found, expected);
        prop_assert_eq!(last_id, i64::try_from(entries.len()).ok().filter(|count| *count > 0));
        check(&[&[seed], &*stream].concat());
    }

    #[test]
    fn what_is_nearly_a_stream_means_the_same_in_any_pieces(texts in prop::collection::vec(hostile(), 0..20), seed in any::<u8>()) {
        check(&[&[seed], texts.concat().as_bytes()].concat());
    }
}
