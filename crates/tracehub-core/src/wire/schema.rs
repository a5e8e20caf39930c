//! JSON Schemas of what no derive can describe: the entry, which is read and written by hand, and what holds entries.
//!
//! An entry as it is given has types alone: one that was taken over from elsewhere may be beyond a limit. An entry as it
//! is sent has the limits too. They are counted in bytes, which JSON Schema cannot say; `maxLength` counts characters,
//! so it refuses nothing that the parser takes.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::ingest::MAX_BATCH_ENTRIES;
use super::live::{SHUTDOWN_EVENT, TIMEOUT_MESSAGE};
use super::read::RecentEntry;
use crate::entry::{
    MAX_DATA_DEPTH, MAX_DIRECTION_BYTES, MAX_ENDPOINT_BYTES, MAX_NAME_BYTES, MAX_TEXT_BYTES, TraceEntry,
    UNKNOWN_HOSTNAME,
};
use crate::store::EntryId;

/// A text without U+0000, as a regular expression.
const NO_NUL: &str = "^[^\\u0000]*$";

/// One entry, as it is sent.
#[derive(Debug)]
pub struct NewEntry;

/// The body of `POST /ingest`.
#[derive(Debug)]
pub struct NewBatch;

/// One event of a live stream.
#[derive(Debug)]
pub struct LiveEvent;

/// A text of the query or the path that may hold `min` to [`MAX_NAME_BYTES`] bytes, such as a correlation id.
#[must_use]
pub fn name(min: usize) -> Value {
    text(min, MAX_NAME_BYTES)
}

fn text(min: usize, max: usize) -> Value {
    let mut schema = json!({ "type": "string", "maxLength": max, "pattern": NO_NUL });
    if min > 0 {
        schema["minLength"] = min.into();
    }
    schema
}

/// The fields of an entry in the order of the wire: the name, what it is, its schema as it is given and as it is sent, and
/// whether it may be left out when it is sent.
fn fields() -> [(&'static str, String, Value, Value, bool); 10] {
    let given_text = || json!({ "type": "string" });
    let timestamp = || json!({ "type": "number", "format": "double" });
    let data = || json!({ "type": ["object", "null"] });
    let raw_line = || json!({ "type": ["string", "null"] });
    let mut sent_hostname = name(0);
    sent_hostname["default"] = UNKNOWN_HOSTNAME.into();
    let mut sent_line = raw_line();
    sent_line["maxLength"] = MAX_TEXT_BYTES.into();
    let names = format!("at most {MAX_NAME_BYTES} bytes");
    [
        ("source_id", format!("Who logged it, such as `MA`; {names}."), given_text(), name(0), false),
        ("correlation_id", format!("The chain it belongs to; 1 byte, {names}."), given_text(), name(1), false),
        (
            "timestamp",
            "When it was logged: Unix time in ms; fractions are kept.".into(),
            timestamp(),
            timestamp(),
            false,
        ),
        (
            "suffix",
            format!("What tells entries of one source and millisecond apart; {names}."),
            given_text(),
            name(0),
            false,
        ),
        (
            "direction",
            format!("`->` enter, `<-` leave; any other text of 1 to {MAX_DIRECTION_BYTES} bytes is a mark."),
            given_text(),
            text(1, MAX_DIRECTION_BYTES),
            false,
        ),
        ("operation", format!("The kind of operation, such as `REST`; {names}."), given_text(), name(0), false),
        (
            "endpoint",
            format!("The operation's name, such as `/api/agents`; at most {MAX_ENDPOINT_BYTES} bytes."),
            given_text(),
            text(0, MAX_ENDPOINT_BYTES),
            false,
        ),
        (
            "data",
            format!("Kept as the text that came in; at most {MAX_TEXT_BYTES} bytes and {MAX_DATA_DEPTH} levels."),
            data(),
            data(),
            true,
        ),
        ("hostname", format!("The machine that logged it; {names}."), given_text(), sent_hostname, true),
        (
            "raw_line",
            format!("The log line it was taken from; at most {MAX_TEXT_BYTES} bytes."),
            raw_line(),
            sent_line,
            true,
        ),
    ]
}

fn described(mut schema: Value, description: String) -> Value {
    schema["description"] = description.into();
    schema
}

impl JsonSchema for TraceEntry {
    fn schema_name() -> Cow<'static, str> {
        "Entry".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let required = fields().map(|(name, ..)| name);
        let properties: Map<String, Value> = fields()
            .into_iter()
            .map(|(name, description, given, ..)| (name.to_owned(), described(given, description)))
            .collect();
        json_schema!({
            "description": "One checkpoint, as it is given.",
            "type": "object",
            "properties": properties,
            "required": required,
        })
    }
}

impl JsonSchema for NewEntry {
    fn schema_name() -> Cow<'static, str> {
        "NewEntry".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let required: Vec<&str> = fields().iter().filter(|(.., optional)| !optional).map(|(name, ..)| *name).collect();
        let properties: Map<String, Value> = fields()
            .into_iter()
            .map(|(name, description, _, sent, _)| (name.to_owned(), described(sent, description)))
            .collect();
        json_schema!({
            "description": "One checkpoint, as it is sent. Other keys are passed over; a key that stands twice is refused.",
            "type": "object",
            "properties": properties,
            "required": required,
        })
    }
}

impl JsonSchema for NewBatch {
    fn schema_name() -> Cow<'static, str> {
        "NewBatch".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Entries that are stored together or not at all.",
            "type": "object",
            "properties": {
                "traces": {
                    "type": "array",
                    "items": generator.subschema_for::<NewEntry>(),
                    "maxItems": MAX_BATCH_ENTRIES,
                },
            },
            "required": ["traces"],
        })
    }
}

impl JsonSchema for LiveEvent {
    fn schema_name() -> Cow<'static, str> {
        "LiveEvent".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let last: Value = serde_json::from_str(TIMEOUT_MESSAGE).unwrap_or_default();
        let last =
            json!({ "type": "object", "properties": { "type": { "const": last["type"] } }, "required": ["type"] });
        json_schema!({
            "description": "One event of a stream; comments come between them. Its `data` is an entry, or the last event's.",
            "type": "object",
            "properties": {
                "id": {
                    "type": "string",
                    "pattern": "^[0-9]+$",
                    "description": "The entry's id, with which a stream goes on after it. The last event has none.",
                },
                "event": {
                    "type": "string",
                    "enum": ["message", SHUTDOWN_EVENT],
                    "default": "message",
                    "description": "The last event says here that the server stops, if that is why.",
                },
                "data": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": { "anyOf": [generator.subschema_for::<TraceEntry>(), last] },
                },
            },
            "required": ["data"],
        })
    }
}

/// An entry's fields, and its id.
impl JsonSchema for RecentEntry {
    fn schema_name() -> Cow<'static, str> {
        "RecentEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An entry with its place in the order of commits.",
            "allOf": [generator.subschema_for::<TraceEntry>()],
            "type": "object",
            "properties": { "id": generator.subschema_for::<EntryId>() },
            "required": ["id"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ingest::IngestBatch;

    fn sent() -> Value {
        SchemaGenerator::default().into_root_schema_for::<NewEntry>().to_value()
    }

    fn good() -> Value {
        json!({
            "source_id": "MA", "correlation_id": "c", "timestamp": 5, "suffix": "s", "direction": "->",
            "operation": "REST", "endpoint": "/x", "data": {}, "hostname": "web", "raw_line": "line",
        })
    }

    fn is_taken(entry: &Value) -> bool {
        IngestBatch::parse_single(entry.to_string().into_bytes()).is_ok()
    }

    #[test]
    fn what_the_schema_of_a_sent_entry_says_is_what_the_parser_takes() {
        let schema = sent();
        let required: Vec<&str> =
            schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let properties = schema["properties"].as_object().unwrap();
        assert!(good().as_object().unwrap().keys().eq(properties.keys()), "{properties:#?}");
        let with = |name: &str, value: Value| {
            let mut entry = good();
            entry[name] = value;
            is_taken(&entry)
        };
        for (name, property) in properties {
            let mut without = good();
            without.as_object_mut().unwrap().remove(name);
            assert_eq!(is_taken(&without), !required.contains(&name.as_str()), "without {name}");
            let types = &property["type"];
            let has_type =
                |wanted: &str| *types == wanted || types.as_array().is_some_and(|all| all.contains(&wanted.into()));
            for (value, its_type) in [
                (Value::Null, "null"),
                (json!("text"), "string"),
                (json!(1.5), "number"),
                (json!({"a": 1}), "object"),
                (json!([1]), "array"),
                (json!(true), "boolean"),
            ] {
                assert_eq!(with(name, value), has_type(its_type), "{name} of type {its_type}");
            }
            if has_type("string") {
                let longest = usize::try_from(property["maxLength"].as_u64().unwrap()).unwrap();
                assert!(
                    with(name, "x".repeat(longest).into()) && !with(name, "x".repeat(longest + 1).into()),
                    "{name}"
                );
                assert_eq!(with(name, "".into()), property.get("minLength").is_none(), "{name} empty");
                assert_eq!(with(name, "a\0b".into()), property.get("pattern").is_none(), "{name} with U+0000");
            }
        }
        assert!(with("other", json!(1)), "other keys are passed over");
        let batch = SchemaGenerator::default().into_root_schema_for::<NewBatch>().to_value();
        assert_eq!(batch["properties"]["traces"]["maxItems"], MAX_BATCH_ENTRIES);
    }

    #[test]
    fn the_schema_of_a_given_entry_has_the_keys_that_are_written() {
        let entry = TraceEntry::builder("MA", "c").build().unwrap();
        let mut written = Vec::new();
        super::super::read::write_entry(&mut written, &entry.as_ref());
        let written: Map<String, Value> = serde_json::from_slice(&written).unwrap();
        let schema = SchemaGenerator::default().into_root_schema_for::<TraceEntry>().to_value();
        assert!(written.keys().eq(schema["properties"].as_object().unwrap().keys()));
        let required: Vec<&str> =
            schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(required.len(), written.len());
        assert!(required.iter().all(|name| written.contains_key(*name)));
    }
}
