//! A request body becomes a batch of valid entries: one parse, no copy of what needs none, all or nothing.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::diagnose;
use super::error::FieldError;
use super::scan;
use crate::entry::{EntryRef, MAX_DATA_DEPTH, UNKNOWN_HOSTNAME};

/// The most entries that one batch may have.
pub const MAX_BATCH_ENTRIES: usize = 10_000;
/// The most bytes that one request body may have, after decompression.
pub const MAX_BODY_BYTES: usize = 8 << 20;

/// The answer to `POST /ingest`: `accepted` is always `inserted + duplicates`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IngestAnswer {
    /// Entries in the batch.
    pub accepted: u64,
    /// Entries that were new.
    pub inserted: u64,
    /// Entries that were stored already, or stood in the batch before.
    pub duplicates: u64,
}

/// The answer to `POST /ingest/single`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IngestSingleAnswer {
    /// Whether the entry was new.
    pub inserted: bool,
}

/// Why a body gives no batch. Nothing of it may be stored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum IngestError {
    /// The body is not UTF-8.
    #[error("the body is not valid UTF-8")]
    NotUtf8,
    /// The batch has more than [`MAX_BATCH_ENTRIES`] entries.
    #[error("a batch may have at most {MAX_BATCH_ENTRIES} entries")]
    TooManyEntries,
    /// The body is not JSON of the expected shape, or an entry breaks a rule; each fault found is named.
    #[error("{}", FieldError::summary(.0))]
    Invalid(Vec<FieldError>),
}

/// Entries of one request, each valid, ordered by timestamp (ties as they came).
///
/// The order makes commit order and time order agree within a batch, so that a stream shows a batch as it happened.
/// The body's text is kept and entries point into it; only text that JSON had escaped or spaced is copied.
#[derive(Debug)]
pub struct IngestBatch {
    body: String,
    unescaped: String,
    entries: Vec<EntrySpans>,
}

/// The shape of a body: a batch or one bare entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Batch,
    Single,
}

impl IngestBatch {
    /// Parses the body of `POST /ingest`: `{"traces": [entry, …]}`.
    ///
    /// # Errors
    /// [`IngestError`]; every entry must be valid.
    pub fn parse(body: Vec<u8>) -> Result<Self, IngestError> {
        Self::parse_shape(body, Shape::Batch)
    }

    /// Parses the body of `POST /ingest/single`: one entry.
    ///
    /// # Errors
    /// [`IngestError`]; the entry must be valid.
    pub fn parse_single(body: Vec<u8>) -> Result<Self, IngestError> {
        Self::parse_shape(body, Shape::Single)
    }

    fn parse_shape(body: Vec<u8>, shape: Shape) -> Result<Self, IngestError> {
        let mut body = String::from_utf8(body).map_err(|_| IngestError::NotUtf8)?;
        if body.starts_with('\u{feff}') {
            body.drain(..'\u{feff}'.len_utf8());
        }
        let mut unescaped = String::new();
        let mut entries = Vec::new();
        let mut collector = Collector { body: &body, unescaped: &mut unescaped, entries: &mut entries };
        let mut json = serde_json::Deserializer::from_str(&body);
        let outcome = match shape {
            Shape::Batch => BatchSeed(&mut collector).deserialize(&mut json),
            Shape::Single => EntrySeed(&mut collector).deserialize(&mut json),
        };
        match outcome.and_then(|()| json.end()) {
            Ok(()) => {
                sort_by_time(&mut entries);
                Ok(Self { body, unescaped, entries })
            }
            Err(_) if entries.len() > MAX_BATCH_ENTRIES => Err(IngestError::TooManyEntries),
            Err(err) => Err(IngestError::Invalid(diagnose::faults(&body, shape, &err))),
        }
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of memory that it holds, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.capacity() + self.unescaped.capacity() + self.entries.capacity() * size_of::<EntrySpans>()
    }

    /// The entries, ordered by timestamp.
    #[must_use]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = EntryRef<'_>> {
        self.entries.iter().map(|spans| spans.resolve(&self.body, &self.unescaped))
    }
}

fn sort_by_time(entries: &mut [EntrySpans]) {
    if !entries.is_sorted_by(|a, b| a.timestamp <= b.timestamp) {
        entries.sort_by(|a, b| a.timestamp.total_cmp(&b.timestamp));
    }
}

/// Where a text lies: in the body, or (with [`Span::UNESCAPED`] set) in the copy of unescaped text.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    len: u32,
}

impl Span {
    const UNESCAPED: u32 = 1 << 31;
    /// No text at all, which is not the same as an empty one.
    const NONE: Self = Self { start: u32::MAX, len: u32::MAX };

    fn resolve<'a>(self, body: &'a str, unescaped: &'a str) -> &'a str {
        let (text, start) = if self.start & Self::UNESCAPED == 0 {
            (body, self.start)
        } else {
            (unescaped, self.start & !Self::UNESCAPED)
        };
        &text[start as usize..][..self.len as usize]
    }

    fn resolve_optional<'a>(self, body: &'a str, unescaped: &'a str) -> Option<&'a str> {
        (self.start != Self::NONE.start).then(|| self.resolve(body, unescaped))
    }
}

#[derive(Debug, Clone, Copy)]
struct EntrySpans {
    timestamp: f64,
    source_id: Span,
    correlation_id: Span,
    suffix: Span,
    direction: Span,
    operation: Span,
    endpoint: Span,
    data: Span,
    hostname: Span,
    raw_line: Span,
}

impl EntrySpans {
    fn resolve<'a>(&self, body: &'a str, unescaped: &'a str) -> EntryRef<'a> {
        let text = |span: Span| span.resolve(body, unescaped);
        EntryRef {
            source_id: text(self.source_id),
            correlation_id: text(self.correlation_id),
            timestamp: self.timestamp,
            suffix: text(self.suffix),
            direction: text(self.direction),
            operation: text(self.operation),
            endpoint: text(self.endpoint),
            data: self.data.resolve_optional(body, unescaped),
            hostname: text(self.hostname),
            raw_line: self.raw_line.resolve_optional(body, unescaped),
        }
    }
}

/// Takes entries as the parser meets them and turns them into spans.
struct Collector<'a, 'out> {
    body: &'a str,
    unescaped: &'out mut String,
    entries: &'out mut Vec<EntrySpans>,
}

impl<'a> Collector<'a, '_> {
    /// Checks one entry and keeps where its texts lie. The error's text does not matter: `diagnose` names the fault.
    fn push<E: serde::de::Error>(&mut self, entry: &ParsedEntry<'a>) -> Result<(), E> {
        let hostname = entry.hostname.as_ref().map_or(UNKNOWN_HOSTNAME, |Text(text)| text);
        // Zero has two signs and one meaning; entries that differ in it alone are the same entry.
        let timestamp = if entry.timestamp == 0.0 { 0.0 } else { entry.timestamp };
        let checked = EntryRef {
            source_id: &entry.source_id.0,
            correlation_id: &entry.correlation_id.0,
            timestamp,
            suffix: &entry.suffix.0,
            direction: &entry.direction.0,
            operation: &entry.operation.0,
            endpoint: &entry.endpoint.0,
            data: None,
            hostname,
            raw_line: entry.raw_line.as_ref().map(|Text(text)| &**text),
        };
        checked.validate().map_err(E::custom)?;
        let data = self.data_span(entry.data)?;
        let spans = EntrySpans {
            timestamp,
            source_id: self.text_span(&entry.source_id),
            correlation_id: self.text_span(&entry.correlation_id),
            suffix: self.text_span(&entry.suffix),
            direction: self.text_span(&entry.direction),
            operation: self.text_span(&entry.operation),
            endpoint: self.text_span(&entry.endpoint),
            data,
            hostname: match &entry.hostname {
                Some(text) => self.text_span(text),
                None => self.copy(UNKNOWN_HOSTNAME),
            },
            raw_line: entry.raw_line.as_ref().map_or(Span::NONE, |text| self.text_span(text)),
        };
        self.entries.push(spans);
        if self.entries.len() > MAX_BATCH_ENTRIES {
            return Err(E::custom(IngestError::TooManyEntries));
        }
        Ok(())
    }

    fn data_span<E: serde::de::Error>(&mut self, data: Option<&'a RawValue>) -> Result<Span, E> {
        let Some(json) = data.map(RawValue::get) else {
            return Ok(Span::NONE);
        };
        if json.len() > crate::entry::MAX_TEXT_BYTES || !json.starts_with('{') {
            return Err(E::custom("data breaks a rule"));
        }
        let seen = scan::scan(json, MAX_DATA_DEPTH).map_err(E::custom)?;
        if !seen.white_space {
            return Ok(self.span_in_body(json));
        }
        let start = self.unescaped.len();
        scan::compact_into(json, self.unescaped);
        Ok(self.unescaped_from(start))
    }

    fn text_span(&mut self, text: &Text<'a>) -> Span {
        match text.0 {
            Cow::Borrowed(borrowed) => self.span_in_body(borrowed),
            Cow::Owned(ref owned) => self.copy(owned),
        }
    }

    fn span_in_body(&self, text: &'a str) -> Span {
        let start = text.as_ptr() as usize - self.body.as_ptr() as usize;
        Span { start: to_u32(start), len: to_u32(text.len()) }
    }

    fn copy(&mut self, text: &str) -> Span {
        let start = self.unescaped.len();
        self.unescaped.push_str(text);
        self.unescaped_from(start)
    }

    fn unescaped_from(&self, start: usize) -> Span {
        Span { start: to_u32(start) | Span::UNESCAPED, len: to_u32(self.unescaped.len() - start) }
    }
}

/// Offsets fit: a body has at most [`MAX_BODY_BYTES`], and what is copied from it is no longer than it, host names aside.
fn to_u32(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX >> 1)
}

/// A JSON string, borrowed from the body unless it has escapes. (`Cow` alone never borrows inside `Option`.)
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

#[derive(Deserialize)]
struct ParsedEntry<'a> {
    #[serde(borrow)]
    source_id: Text<'a>,
    #[serde(borrow)]
    correlation_id: Text<'a>,
    timestamp: f64,
    #[serde(borrow)]
    suffix: Text<'a>,
    #[serde(borrow)]
    direction: Text<'a>,
    #[serde(borrow)]
    operation: Text<'a>,
    #[serde(borrow)]
    endpoint: Text<'a>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    // Absent means unknown; null is refused, as the original does.
    #[serde(borrow, default, deserialize_with = "present")]
    hostname: Option<Text<'a>>,
    #[serde(borrow, default)]
    raw_line: Option<Text<'a>>,
}

fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text<'a>>, D::Error> {
    Text::deserialize(deserializer).map(Some)
}

/// One entry of the JSON text, pushed into the collector.
struct EntrySeed<'c, 'a, 'out>(&'c mut Collector<'a, 'out>);

impl<'a> DeserializeSeed<'a> for EntrySeed<'_, 'a, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

/// A derived reader takes an array for a struct too, its elements for the fields in their order. Here only an object is
/// an entry.
impl<'a> Visitor<'a> for EntrySeed<'_, 'a, '_> {
    type Value = ();
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an entry")
    }
    fn visit_map<A: MapAccess<'a>>(self, map: A) -> Result<(), A::Error> {
        let entry = ParsedEntry::deserialize(MapAccessDeserializer::new(map))?;
        self.0.push(&entry)
    }
}

/// The array of entries.
struct EntriesSeed<'c, 'a, 'out>(&'c mut Collector<'a, 'out>);

impl<'a> DeserializeSeed<'a> for EntriesSeed<'_, 'a, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a> Visitor<'a> for EntriesSeed<'_, 'a, '_> {
    type Value = ();
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of entries")
    }
    fn visit_seq<A: SeqAccess<'a>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(EntrySeed(self.0))?.is_some() {}
        Ok(())
    }
}

/// The object with the key `traces`; other keys are passed over, as the original does.
struct BatchSeed<'c, 'a, 'out>(&'c mut Collector<'a, 'out>);

impl<'a> DeserializeSeed<'a> for BatchSeed<'_, 'a, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for BatchSeed<'_, 'a, '_> {
    type Value = ();
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with the key traces")
    }
    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<Text<'a>>()? {
            if key.0 != "traces" {
                map.next_value::<IgnoredAny>()?;
            } else if found {
                return Err(A::Error::duplicate_field("traces"));
            } else {
                found = true;
                map.next_value_seed(EntriesSeed(self.0))?;
            }
        }
        if found { Ok(()) } else { Err(A::Error::missing_field("traces")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry_json(extra: &str) -> String {
        format!(
            r#"{{"source_id":"MA","correlation_id":"c1","timestamp":5,"suffix":"s","direction":"->","operation":"REST","endpoint":"/x"{extra}}}"#
        )
    }

    fn parse(body: &str) -> Result<IngestBatch, IngestError> {
        IngestBatch::parse(body.as_bytes().to_vec())
    }

    #[test]
    fn texts_are_borrowed_unescaped_and_compacted() {
        let body = format!(
            "\u{feff}{{\"other\":1,\"traces\":[{}]}}",
            entry_json(r#","data":{ "k" : [1, "a b"] },"hostname":"w\u00e9b","raw_line":null"#)
        );
        let batch = parse(&body).unwrap();
        let entry = batch.entries().next().unwrap();
        assert_eq!(entry.source_id, "MA");
        assert_eq!(entry.data, Some(r#"{"k":[1,"a b"]}"#));
        assert_eq!(entry.hostname, "wéb");
        assert_eq!(entry.raw_line, None);
    }

    #[test]
    fn a_batch_is_ordered_by_time_and_ties_as_they_came() {
        let at = |timestamp: f64, suffix: &str| {
            entry_json("")
                .replace("\"timestamp\":5", &format!("\"timestamp\":{timestamp:?}"))
                .replace("\"s\"", &format!("\"{suffix}\""))
        };
        let body = format!(r#"{{"traces":[{},{},{},{}]}}"#, at(9.0, "a"), at(1.5, "b"), at(9.0, "c"), at(-2.0, "d"));
        let batch = parse(&body).unwrap();
        let order: Vec<_> = batch.entries().map(|entry| entry.suffix).collect();
        assert_eq!(order, ["d", "b", "a", "c"]);
    }

    #[test]
    fn negative_zero_is_zero() {
        let body = format!(r#"{{"traces":[{}]}}"#, entry_json("").replace("\"timestamp\":5", "\"timestamp\":-0.0"));
        assert!(parse(&body).unwrap().entries().next().unwrap().timestamp.is_sign_positive());
    }

    #[test]
    fn an_array_of_values_is_no_entry() {
        let values = r#"["MA","c1",5,"s","->","REST","/x",null,"web-1",null]"#;
        let Err(IngestError::Invalid(faults)) = parse(&format!(r#"{{"traces":[{values}]}}"#)) else {
            panic!("it is taken")
        };
        assert!(faults[0].kind == "model_attributes_type" && faults.len() == 1, "{faults:?}");
        assert!(IngestBatch::parse_single(values.as_bytes().to_vec()).is_err());
    }

    #[test]
    fn too_many_entries_are_refused_as_such() {
        let one = entry_json("");
        let body = |count: usize| format!(r#"{{"traces":[{}]}}"#, vec![one.as_str(); count].join(","));
        assert_eq!(parse(&body(MAX_BATCH_ENTRIES)).unwrap().len(), MAX_BATCH_ENTRIES);
        assert_eq!(parse(&body(MAX_BATCH_ENTRIES + 1)).unwrap_err(), IngestError::TooManyEntries);
    }
}
