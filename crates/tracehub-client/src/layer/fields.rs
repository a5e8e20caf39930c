//! The fields of a span: taken down while its code hands them over, bounded, and written as JSON later on.

use std::borrow::Cow;
use std::fmt::{self, Debug, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use serde::ser::SerializeMap;
use tracing::field::{Field, Visit};

/// The most fields of one span.
const MAX_FIELDS: usize = 64;
/// The most bytes of one field's text.
const MAX_FIELD_BYTES: usize = 8 << 10;
/// The most bytes of all fields of one span, their names included.
const MAX_BYTES: usize = 64 << 10;
/// The key that tells how many fields did not fit.
const OMITTED: &str = "omitted_fields";

/// Fields by their names, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    by_name: Vec<(&'static str, Value)>,
    bytes: usize,
    /// How many did not fit.
    omitted: u64,
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Value {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    LongSigned(i128),
    LongUnsigned(u128),
    Float(f64),
    Text(Box<str>),
}

impl Value {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            _ => size_of::<Self>(),
        }
    }
}

impl Fields {
    /// Takes fields down. Code of the host's values runs in `record`: no lock may be held meanwhile.
    pub(super) fn taken(record: impl FnOnce(&mut dyn Visit)) -> Self {
        let mut fields = Self::default();
        record(&mut fields);
        fields
    }

    /// Whether there is something to write; asks as [`write`](Self::write) does.
    pub(super) fn is_any(&self, is_wanted: impl Fn(&str) -> bool) -> bool {
        self.omitted > 0 || self.by_name.iter().any(|(name, _)| is_wanted(name))
    }

    /// Writes those whose names are wanted, and how many did not fit.
    pub(super) fn write<M: SerializeMap>(&self, map: &mut M, is_wanted: impl Fn(&str) -> bool) -> Result<(), M::Error> {
        for (name, value) in self.by_name.iter().filter(|(name, _)| *name != OMITTED && is_wanted(name)) {
            map.serialize_entry(name, value)?;
        }
        if self.omitted > 0 {
            map.serialize_entry(OMITTED, &self.omitted)?;
        }
        Ok(())
    }

    /// Adds fields; the newest value of a name counts.
    pub(super) fn extend(&mut self, newer: Self) {
        self.omitted += newer.omitted;
        for (name, value) in newer.by_name {
            self.insert(name, value);
        }
    }

    /// The text of a field, if it may be an id or an operation: 1 to `most` bytes, without the character U+0000.
    pub(super) fn name(&self, field: &str, most: usize) -> Option<Cow<'_, str>> {
        let (_, value) = self.by_name.iter().find(|(name, _)| *name == field)?;
        let text: Cow<'_, str> = match value {
            Value::Text(text) => Cow::Borrowed(text),
            Value::Bool(value) => value.to_string().into(),
            Value::Signed(value) => value.to_string().into(),
            Value::Unsigned(value) => value.to_string().into(),
            Value::LongSigned(value) => value.to_string().into(),
            Value::LongUnsigned(value) => value.to_string().into(),
            Value::Float(value) => value.to_string().into(),
        };
        ((1..=most).contains(&text.len()) && !text.contains('\0')).then_some(text)
    }

    fn insert(&mut self, name: &'static str, value: Value) {
        let place = self.by_name.iter().position(|(known, _)| *known == name);
        let before = place.map_or(0, |place| name.len() + self.by_name[place].1.bytes());
        let bytes = self.bytes - before + name.len() + value.bytes();
        if bytes > MAX_BYTES || (place.is_none() && self.by_name.len() == MAX_FIELDS) {
            self.omitted += 1;
            return;
        }
        self.bytes = bytes;
        match place {
            Some(place) => self.by_name[place].1 = value,
            None => self.by_name.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field.name(), Value::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field.name(), Value::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field.name(), Value::Unsigned(value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.insert(field.name(), Value::LongSigned(value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.insert(field.name(), Value::LongUnsigned(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for the others.
        let value = if value.is_finite() { Value::Float(value) } else { Value::Text(value.to_string().into()) };
        self.insert(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let mut text = Text::default();
        // Cut, it is an error; what fits is there.
        let _ = text.write_str(value);
        self.insert(field.name(), Value::Text(text.end()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.insert(field.name(), Value::Text(debug_text(value)));
    }
}

/// What a value says of itself. Its own code runs here, and a fault in it is not the host's end.
fn debug_text(value: &dyn Debug) -> Box<str> {
    let mut text = Text::default();
    // An error is the end of a text that was cut, or the value's own; what was written until then is there.
    let outcome = catch_unwind(AssertUnwindSafe(|| write!(text, "{value:?}")));
    match outcome {
        Ok(_) => text.end(),
        Err(_) => "(the value panicked while it was written)".into(),
    }
}

/// Takes so many bytes; then it is cut, and whoever writes is told to stop.
#[derive(Default)]
struct Text {
    text: String,
    is_cut: bool,
}

impl Text {
    fn end(mut self) -> Box<str> {
        if self.is_cut {
            self.text.push('…');
        }
        self.text.into()
    }
}

impl Write for Text {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = MAX_FIELD_BYTES - '…'.len_utf8() - self.text.len();
        if more.len() <= room && !self.is_cut {
            self.text.push_str(more);
            return Ok(());
        }
        if !self.is_cut {
            self.text.push_str(&more[..more.floor_char_boundary(room)]);
            self.is_cut = true;
        }
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(values: impl IntoIterator<Item = (&'static str, Value)>) -> Fields {
        let mut fields = Fields::default();
        values.into_iter().for_each(|(name, value)| fields.insert(name, value));
        fields
    }

    fn text(length: usize) -> Value {
        Value::Text("x".repeat(length).into())
    }

    #[test]
    fn number_and_bytes_are_bounded_and_what_is_beyond_is_counted() {
        let names: Vec<&'static str> = (0..70).map(|number| &*number.to_string().leak()).collect();
        let many = fields(names.iter().map(|name| (*name, Value::Bool(true))));
        assert_eq!((many.by_name.len(), many.omitted), (MAX_FIELDS, 6));
        let large = fields(names.iter().map(|name| (*name, text(8_000))));
        assert_eq!((large.by_name.len(), large.omitted), (8, 62));
        assert!(large.bytes <= MAX_BYTES);
    }

    #[test]
    fn the_newest_value_counts_and_takes_the_room_of_the_one_before() {
        let mut large = fields((0..100).map(|_| ("same", text(8_000))));
        assert_eq!((large.by_name.len(), large.omitted, large.bytes), (1, 0, 8_004));
        large.extend(fields([("same", Value::Signed(1)), ("other", Value::Signed(2))]));
        assert_eq!(large.name("same", 9).as_deref(), Some("1"));
        assert_eq!(large.by_name.len(), 2);
    }

    #[test]
    fn a_name_is_short_text() {
        let fields = fields([
            ("text", Value::Text("c1".into())),
            ("number", Value::Unsigned(7)),
            ("empty", text(0)),
            ("long", text(257)),
            ("nul", Value::Text("a\0".into())),
        ]);
        for (field, expected) in [
            ("text", Some("c1")),
            ("number", Some("7")),
            ("empty", None),
            ("long", None),
            ("nul", None),
            ("none", None),
        ] {
            assert_eq!(fields.name(field, 256).as_deref(), expected, "{field}");
        }
    }

    #[test]
    fn a_long_text_is_cut_where_a_character_ends_and_stops_its_writer() {
        struct Endless;
        impl Debug for Endless {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    formatter.write_str("ab日")?;
                }
            }
        }
        let text = debug_text(&Endless);
        assert!(text.len() > MAX_FIELD_BYTES - 8 && text.len() <= MAX_FIELD_BYTES && text.ends_with('…'));
        assert_eq!(&*debug_text(&Some("short")), "Some(\"short\")");
    }

    #[test]
    fn a_value_that_panics_or_fails_harms_nobody() {
        struct Panics;
        impl Debug for Panics {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                std::panic::resume_unwind(Box::new("a fault"))
            }
        }
        struct Fails;
        impl Debug for Fails {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("half")?;
                Err(fmt::Error)
            }
        }
        assert_eq!(&*debug_text(&Panics), "(the value panicked while it was written)");
        assert_eq!(&*debug_text(&Fails), "half");
    }
}
