//! Why a body was refused: a second, slower look that names every fault it finds. Only refused bodies pay for it.
//!
//! Values are looked at as text, never built, so a hostile body costs no more memory than it has bytes.

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{FieldError, Location};
use super::ingest::{Shape, Text};
use crate::entry::{EntryRef, Problem};

/// The most faults that are listed; more would not help anyone.
const MAX_FAULTS: usize = 100;

/// Lists what is wrong with `body`. `refusal` is the parser's own word, for what this look does not find.
pub(super) fn faults(body: &str, shape: Shape, refusal: &serde_json::Error) -> Vec<FieldError> {
    if body.trim_ascii().is_empty() {
        return vec![FieldError::new("missing", vec!["body".into()], "Field required")];
    }
    let mut faults = Vec::new();
    match serde_json::from_str::<&RawValue>(body) {
        Err(err) => faults.push(syntax_fault(body, shape, &err)),
        Ok(value) => match shape {
            Shape::Batch => batch_faults(value.get(), &mut faults),
            Shape::Single => entry_faults(value.get(), &["body".into()], &mut faults),
        },
    }
    if faults.is_empty() {
        faults.push(FieldError::new("value_error", vec!["body".into()], refusal.to_string()));
    }
    faults
}

/// A fault of grammar: the field in which the parser stopped, or the byte.
fn syntax_fault(body: &str, shape: Shape, err: &serde_json::Error) -> FieldError {
    let mut json = serde_json::Deserializer::from_str(body);
    let path = match shape {
        Shape::Batch => serde_path_to_error::deserialize::<_, BatchPath>(&mut json).err(),
        Shape::Single => serde_path_to_error::deserialize::<_, EntryPath>(&mut json).err(),
    };
    let mut loc: Vec<Location> = vec!["body".into()];
    for step in path.iter().flat_map(|err| err.path().iter()) {
        match step {
            serde_path_to_error::Segment::Seq { index } => loc.push((*index).into()),
            serde_path_to_error::Segment::Map { key } => loc.push(Location::Key(key.clone().into())),
            serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => {}
        }
    }
    if loc.len() == 1 {
        loc.push(offset_of(body, err.line(), err.column()).into());
    }
    FieldError::new("json_invalid", loc, format!("JSON decode error: {err}"))
}

/// The byte of `body` at a line and column, both counted from 1 as `serde_json` does.
fn offset_of(body: &str, line: usize, column: usize) -> usize {
    let before: usize = body.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (before + column.saturating_sub(1)).min(body.len())
}

/// The fields of a batch with nothing kept of them: only the way to them matters.
#[derive(Deserialize)]
struct BatchPath {
    #[serde(rename = "traces", default)]
    _traces: Vec<EntryPath>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct EntryPath {
    #[serde(rename = "source_id")]
    _source_id: IgnoredAny,
    #[serde(rename = "correlation_id")]
    _correlation_id: IgnoredAny,
    #[serde(rename = "timestamp")]
    _timestamp: IgnoredAny,
    #[serde(rename = "suffix")]
    _suffix: IgnoredAny,
    #[serde(rename = "direction")]
    _direction: IgnoredAny,
    #[serde(rename = "operation")]
    _operation: IgnoredAny,
    #[serde(rename = "endpoint")]
    _endpoint: IgnoredAny,
    #[serde(rename = "data")]
    _data: IgnoredAny,
    #[serde(rename = "hostname")]
    _hostname: IgnoredAny,
    #[serde(rename = "raw_line")]
    _raw_line: IgnoredAny,
}

fn batch_faults(json: &str, faults: &mut Vec<FieldError>) {
    let body: Vec<Location> = vec!["body".into()];
    let Ok(fields) = serde_json::from_str::<Fields<'_>>(json) else {
        faults.push(not_an_object(body));
        return;
    };
    let at_traces: Vec<Location> = vec!["body".into(), "traces".into()];
    match fields.all("traces").as_slice() {
        [] => faults.push(missing(at_traces)),
        [traces] if traces.starts_with('[') => entries_faults(traces, faults),
        [_] => faults.push(FieldError::new("list_type", at_traces, "Input should be a valid list")),
        [..] => faults.push(repeated(at_traces)),
    }
}

fn entries_faults(json: &str, faults: &mut Vec<FieldError>) {
    struct Entries<'f>(&'f mut Vec<FieldError>);
    impl<'de> Visitor<'de> for Entries<'_> {
        type Value = ();
        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("an array")
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
            let mut index = 0_usize;
            while let Some(element) = elements.next_element::<&RawValue>()? {
                if self.0.len() < MAX_FAULTS {
                    entry_faults(element.get(), &["body".into(), "traces".into(), index.into()], self.0);
                }
                index += 1;
            }
            Ok(())
        }
    }
    // The text is known to be well-formed, so this cannot fail; if it did, the parser's own word would stand.
    let _ = serde::Deserializer::deserialize_seq(&mut serde_json::Deserializer::from_str(json), Entries(faults));
}

fn entry_faults(json: &str, at: &[Location], faults: &mut Vec<FieldError>) {
    let Ok(fields) = serde_json::from_str::<Fields<'_>>(json) else {
        faults.push(not_an_object(at.to_vec()));
        return;
    };
    let look = Look { fields: &fields, at };
    let mut found = Vec::new();
    let source_id = look.text("source_id", Absent::Refused, &mut found);
    let correlation_id = look.text("correlation_id", Absent::Refused, &mut found);
    let timestamp = look.timestamp(&mut found);
    let suffix = look.text("suffix", Absent::Refused, &mut found);
    let direction = look.text("direction", Absent::Refused, &mut found);
    let operation = look.text("operation", Absent::Refused, &mut found);
    let endpoint = look.text("endpoint", Absent::Refused, &mut found);
    let data = look.data(&mut found);
    let hostname = look.text("hostname", Absent::Allowed, &mut found);
    let raw_line = look.text("raw_line", Absent::OrNull, &mut found);
    if found.is_empty() {
        // Every field has its type, so what is left are the limits.
        let entry = EntryRef {
            source_id: &source_id,
            correlation_id: &correlation_id,
            timestamp,
            suffix: &suffix,
            direction: &direction,
            operation: &operation,
            endpoint: &endpoint,
            data,
            hostname: &hostname,
            raw_line: Some(&raw_line),
        };
        if let Err(err) = entry.validate() {
            found.push(FieldError::new(kind_of(err.problem), look.loc(err.field), format!("Input {}", err.problem)));
        }
    }
    faults.append(&mut found);
}

/// Whether a text field may be left out.
#[derive(Clone, Copy, PartialEq)]
enum Absent {
    Refused,
    Allowed,
    OrNull,
}

/// The fields of one entry, and the way to it.
struct Look<'f, 'a> {
    fields: &'f Fields<'a>,
    at: &'f [Location],
}

impl<'a> Look<'_, 'a> {
    fn loc(&self, field: &'static str) -> Vec<Location> {
        let mut loc = self.at.to_vec();
        loc.push(field.into());
        loc
    }

    /// The field's JSON text, if it is there once.
    fn value(&self, field: &'static str, absent: Absent, found: &mut Vec<FieldError>) -> Option<&'a str> {
        match self.fields.all(field).as_slice() {
            [] if absent == Absent::Refused => found.push(missing(self.loc(field))),
            [] => {}
            ["null"] if absent == Absent::OrNull => {}
            [value] => return Some(value),
            [..] => found.push(repeated(self.loc(field))),
        }
        None
    }

    fn text(&self, field: &'static str, absent: Absent, found: &mut Vec<FieldError>) -> String {
        let Some(json) = self.value(field, absent, found) else {
            return String::new();
        };
        if !json.starts_with('"') {
            found.push(FieldError::new("string_type", self.loc(field), "Input should be a valid string"));
            return String::new();
        }
        match serde_json::from_str::<Text<'_>>(json) {
            Ok(Text(text)) => text.into_owned(),
            Err(err) => {
                let msg = format!("Input should be a valid string: {err}");
                found.push(FieldError::new("string_unicode", self.loc(field), msg));
                String::new()
            }
        }
    }

    fn timestamp(&self, found: &mut Vec<FieldError>) -> f64 {
        let Some(json) = self.value("timestamp", Absent::Refused, found) else {
            return 0.0;
        };
        if !json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            found.push(FieldError::new("float_type", self.loc("timestamp"), "Input should be a valid number"));
            return 0.0;
        }
        json.parse().unwrap_or(f64::INFINITY)
    }

    fn data(&self, found: &mut Vec<FieldError>) -> Option<&'a str> {
        let json = self.value("data", Absent::OrNull, found)?;
        if !json.starts_with('{') {
            found.push(FieldError::new("dict_type", self.loc("data"), "Input should be a valid dictionary"));
        }
        Some(json)
    }
}

fn kind_of(problem: Problem) -> &'static str {
    match problem {
        Problem::Empty => "string_too_short",
        Problem::TooLong { .. } => "string_too_long",
        Problem::Nul | Problem::LoneSurrogate => "string_unicode",
        Problem::NotFinite | Problem::NumberOutOfRange => "finite_number",
        Problem::NotAnObject => "dict_type",
        Problem::TooDeep => "too_deep",
    }
}

fn missing(loc: Vec<Location>) -> FieldError {
    FieldError::new("missing", loc, "Field required")
}

fn repeated(loc: Vec<Location>) -> FieldError {
    FieldError::new("repeated", loc, "Field may stand only once")
}

fn not_an_object(loc: Vec<Location>) -> FieldError {
    FieldError::new("model_attributes_type", loc, "Input should be a valid dictionary or object to extract fields from")
}

/// The known keys of an object with the text of their values, as often as they stand there.
struct Fields<'a>(Vec<(&'static str, &'a str)>);

const KNOWN_FIELDS: [&str; 11] = [
    "traces",
    "source_id",
    "correlation_id",
    "timestamp",
    "suffix",
    "direction",
    "operation",
    "endpoint",
    "data",
    "hostname",
    "raw_line",
];

impl<'a> Fields<'a> {
    fn all(&self, field: &str) -> Vec<&'a str> {
        self.0.iter().filter(|(name, _)| *name == field).map(|(_, value)| *value).collect()
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                // A key that stands more than twice adds nothing: twice is refused already.
                while let Some(Text(key)) = map.next_key()? {
                    let value = map.next_value::<&RawValue>()?;
                    let known = KNOWN_FIELDS.into_iter().find(|known| *known == key);
                    if let Some(name) = known
                        && fields.iter().filter(|(other, _)| *other == name).count() < 2
                    {
                        fields.push((name, value.get()));
                    }
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ingest::{IngestBatch, IngestError};

    const ENTRY: &str = r#"{"source_id":"MA","correlation_id":"c1","timestamp":5,"suffix":"s","direction":"->","operation":"REST","endpoint":"/x","data":null}"#;

    /// The faults of a body as `kind way`.
    fn faults(body: &str) -> Vec<String> {
        match IngestBatch::parse(body.as_bytes().to_vec()) {
            Err(IngestError::Invalid(faults)) => faults
                .iter()
                .map(|fault| format!("{} {}", fault.kind, fault.to_string().split(": ").next().unwrap()))
                .collect(),
            other => panic!("{body} gave {other:?}"),
        }
    }

    fn second_entry_with(from: &str, to: &str) -> Vec<String> {
        assert!(ENTRY.contains(from));
        faults(&format!(r#"{{"traces":[{ENTRY},{}]}}"#, ENTRY.replace(from, to)))
    }

    #[test]
    fn the_body_itself() {
        assert_eq!(faults(""), ["missing body"]);
        assert_eq!(faults("this is not json"), ["json_invalid body[1]"]);
        assert_eq!(faults("[]"), ["model_attributes_type body"]);
        assert_eq!(faults("{}"), ["missing body.traces"]);
        assert_eq!(faults(r#"{"traces":null}"#), ["list_type body.traces"]);
        assert_eq!(faults(r#"{"traces":[],"traces":[]}"#), ["repeated body.traces"]);
        assert_eq!(
            faults(r#"{"traces":["nope",null]}"#),
            ["model_attributes_type body.traces[0]", "model_attributes_type body.traces[1]"]
        );
    }

    #[test]
    fn every_missing_field_of_the_right_entry() {
        let all = faults(&format!(r#"{{"traces":[{ENTRY},{{}}]}}"#));
        assert_eq!(all.len(), 7);
        assert_eq!(all[2], "missing body.traces[1].timestamp");
    }

    #[test]
    fn types_and_limits_name_the_field() {
        let cases = [
            (r#""MA""#, "5", "string_type body.traces[1].source_id"),
            (r#""c1""#, r#""""#, "string_too_short body.traces[1].correlation_id"),
            (r#""c1""#, r#""a\u0000b""#, "string_unicode body.traces[1].correlation_id"),
            (r#""s""#, r#""\ud800""#, "string_unicode body.traces[1].suffix"),
            (":5", ":\"5\"", "float_type body.traces[1].timestamp"),
            (":5", ":true", "float_type body.traces[1].timestamp"),
            (":5", ":1e400", "finite_number body.traces[1].timestamp"),
            (":5", ":NaN", "json_invalid body.traces[1].timestamp"),
            (r#""->""#, r#""""#, "string_too_short body.traces[1].direction"),
            (r#""->""#, r#""0123456789abcdefg""#, "string_too_long body.traces[1].direction"),
            (":null", ":[]", "dict_type body.traces[1].data"),
            (":null", r#":{"a":1e400}"#, "finite_number body.traces[1].data"),
            (":null", r#":{"a":NaN}"#, "json_invalid body.traces[1].data"),
            (":null", r#":null,"hostname":null"#, "string_type body.traces[1].hostname"),
            (":null", r#":null,"raw_line":1"#, "string_type body.traces[1].raw_line"),
            (":null", r#":null,"suffix":"t""#, "repeated body.traces[1].suffix"),
        ];
        for (from, to, expected) in cases {
            assert_eq!(second_entry_with(from, to), [expected], "{from} as {to}");
        }
    }

    #[test]
    fn two_faults_of_one_entry_are_both_named() {
        let body =
            format!(r#"{{"traces":[{}]}}"#, ENTRY.replace(r#""MA""#, "5").replace(":5,\"suffix", ":\"x\",\"suffix"));
        assert_eq!(faults(&body), ["string_type body.traces[0].source_id", "float_type body.traces[0].timestamp"]);
    }

    #[test]
    fn deep_data_is_named() {
        let deep = format!(":{}{}", "{\"a\":".repeat(300), "1".to_owned() + &"}".repeat(300));
        assert_eq!(second_entry_with(":null", &deep), ["too_deep body.traces[1].data"]);
    }
}
