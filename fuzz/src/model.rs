//! The ingest contract once more, as simple as can be: the whole body as a tree, then rule by rule. Slow, and written
//! without a look at the parser that it is compared with.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// JSON with every key of an object, also those that stand there twice.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// An entry as the contract means it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) timestamp: f64,
    /// `source_id`, `correlation_id`, `suffix`, `direction`, `operation`, `endpoint`, `hostname`.
    pub(crate) texts: [String; 7],
    pub(crate) data: Option<Value>,
    pub(crate) raw_line: Option<String>,
}

/// The texts of an entry, the most bytes of each, and whether it may be empty.
const TEXTS: [(&str, usize, bool); 7] = [
    ("source_id", 256, true),
    ("correlation_id", 256, false),
    ("suffix", 256, true),
    ("direction", 16, false),
    ("operation", 256, true),
    ("endpoint", 2048, true),
    ("hostname", 256, true),
];
const MAX_DEPTH: usize = 120;
const MAX_BYTES: usize = 1 << 20;

/// The entries of a batch in the order of their time; none if anything is wrong.
pub(crate) fn batch(body: &Json) -> Option<Vec<Entry>> {
    let Json::List(list) = only(body, "traces").ok()?? else { return None };
    let mut entries = list.iter().map(entry).collect::<Option<Vec<_>>>()?;
    entries.sort_by(|a, b| a.timestamp.total_cmp(&b.timestamp));
    Some(entries)
}

/// One entry; none if anything is wrong.
pub(crate) fn entry(json: &Json) -> Option<Entry> {
    let mut texts: [String; 7] = Default::default();
    for (text, (name, limit, may_be_empty)) in texts.iter_mut().zip(TEXTS) {
        *text = match only(json, name).ok()? {
            Some(Json::Text(value)) => value.clone(),
            None if name == "hostname" => "unknown".to_owned(),
            _ => return None,
        };
        if text.len() > limit || text.contains('\0') || (text.is_empty() && !may_be_empty) {
            return None;
        }
    }
    let Some(Json::Number(timestamp)) = only(json, "timestamp").ok()? else { return None };
    let data = match only(json, "data").ok()? {
        None | Some(Json::Null) => None,
        Some(object @ Json::Object(_)) if depth(object) <= MAX_DEPTH => Some(value(object)),
        Some(_) => return None,
    };
    let raw_line = match only(json, "raw_line").ok()? {
        None | Some(Json::Null) => None,
        Some(Json::Text(line)) if line.len() <= MAX_BYTES => Some(line.clone()),
        Some(_) => return None,
    };
    // Adding zero makes one zero of both.
    Some(Entry { timestamp: timestamp.as_f64()? + 0.0, texts, data, raw_line })
}

/// What has no value to give: it is no object, or the key stands there more than once.
struct Ambiguous;

/// The value of a key that may stand there once.
fn only<'a>(json: &'a Json, name: &str) -> Result<Option<&'a Json>, Ambiguous> {
    let Json::Object(fields) = json else { return Err(Ambiguous) };
    let mut values = fields.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
    let first = values.next();
    if values.next().is_none() { Ok(first) } else { Err(Ambiguous) }
}

fn depth(json: &Json) -> usize {
    match json {
        Json::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Object(fields) => 1 + fields.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        _ => 0,
    }
}

/// What a common reader makes of it: of a key that stands there twice, the last counts.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Number(number.clone()),
        Json::Text(text) => Value::String(text.clone()),
        Json::List(items) => items.iter().map(value).collect(),
        Json::Object(fields) => fields.iter().map(|(key, field)| (key.clone(), value(field))).collect(),
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }
    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Json, E> {
        Number::from_f64(number).map(Json::Number).ok_or_else(|| E::custom("not finite"))
    }
    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Json::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Json::Object(fields))
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<Json, D::Error> {
        Err(D::Error::custom("JSON has no such thing"))
    }
}
