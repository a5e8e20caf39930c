//! Parameters of the query, the path and the header.

use serde_json::{Value, json};
use tracehub_core::wire::schema;

/// A parameter of the query that may be left out.
pub(super) fn query(name: &str, schema: Value, description: &str) -> Value {
    parameter("query", name, schema, description)
}

/// A parameter of the query that must be there.
pub(super) fn required(name: &str, schema: Value, description: &str) -> Value {
    let mut parameter = query(name, schema, description);
    parameter["required"] = true.into();
    parameter
}

/// A header that may be left out.
pub(super) fn header(name: &str, schema: Value, description: &str) -> Value {
    parameter("header", name, schema, description)
}

/// A part of the path.
pub(super) fn path(name: &str, schema: Value, description: &str, example: &str) -> Value {
    let mut parameter = parameter("path", name, schema, description);
    parameter["required"] = true.into();
    parameter["example"] = example.into();
    parameter
}

fn parameter(place: &str, name: &str, schema: Value, description: &str) -> Value {
    let mut parameter = json!({ "name": name, "in": place, "description": description });
    parameter["schema"] = schema;
    parameter
}

/// The chain that a path names.
pub(super) fn correlation_id() -> Value {
    let description = "The chain, percent-encoded; encoded slashes are part of it. One that is not known is empty.";
    path("correlation_id", schema::name(1), description, super::examples::CHAIN)
}

/// A whole number.
pub(super) fn integer(min: i64, max: i64) -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": min, "maximum": max })
}

/// A whole number, and what counts when it is left out.
pub(super) fn integer_or(default: i64, min: i64, max: i64) -> Value {
    let mut schema = integer(min, max);
    schema["default"] = default.into();
    schema
}

/// Any finite number.
pub(super) fn number() -> Value {
    json!({ "type": "number", "format": "double" })
}

/// Any text. An empty one counts as left out.
pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

/// One of a few words, and what counts when it is left out. An empty one counts as left out.
pub(super) fn one_of(words: &[&str], default: Option<&str>) -> Value {
    let words: Vec<&str> = words.iter().copied().chain([""]).collect();
    let mut schema = json!({ "type": "string", "enum": words });
    if let Some(default) = default {
        schema["default"] = default.into();
    }
    schema
}

/// What `Query::place` takes: where entries are to have been logged.
pub(super) fn place() -> [Value; 4] {
    [
        query("source", text(), "Only what this source logged."),
        query("endpoint", text(), "Only what was logged of this endpoint."),
        query("host", text(), "Only what was logged on this host."),
        query("operation", text(), "Only what was logged of this operation."),
    ]
}
