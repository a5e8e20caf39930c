//! One row of the Python server's table as an entry: kept as it is wherever an entry can hold it.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde_json::value::RawValue;

use crate::entry::{EntryRef, MAX_DATA_DEPTH, UNKNOWN_HOSTNAME};
use crate::wire::scan;

/// The columns of the table `traces`, in its order.
pub(in crate::store::sqlite) const COLUMNS: [&str; 12] = [
    "id",
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
    "created_at",
];

/// Every row with its [`COLUMNS`], in the order of arrival.
pub(super) const SELECT: &str = "SELECT id, source_id, correlation_id, timestamp, suffix, direction, operation, \
     endpoint, data, hostname, raw_line, created_at FROM traces ORDER BY id";

/// Why a row cannot be an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{column} {problem}")]
pub(super) struct Unfit {
    column: &'static str,
    problem: &'static str,
}

/// An entry, and how its `data` was kept.
#[derive(Debug)]
pub(super) struct OldEntry<'a> {
    pub(super) entry: EntryRef<'a>,
    pub(super) data_kept_as_text: bool,
}

/// Reads a row of [`COLUMNS`]. Limits of length are not asked for: they are promises about what comes in, and these
/// rows were let in long ago. `buffer` holds `data` if its text had to change.
pub(super) fn read<'a>(row: &'a Row<'_>, buffer: &'a mut String) -> rusqlite::Result<Result<OldEntry<'a>, Unfit>> {
    let mut columns = [ValueRef::Null; COLUMNS.len()];
    for (index, column) in columns.iter_mut().enumerate() {
        *column = row.get_ref(index)?;
    }
    Ok(entry(&columns, buffer))
}

fn entry<'a>(columns: &[ValueRef<'a>; COLUMNS.len()], buffer: &'a mut String) -> Result<OldEntry<'a>, Unfit> {
    let text = |index: usize| match columns[index] {
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Unfit { column: COLUMNS[index], problem: "is not UTF-8" }),
        },
        ValueRef::Null => Ok(None),
        _ => Err(Unfit { column: COLUMNS[index], problem: "is not text" }),
    };
    let some_text = |index: usize| text(index)?.ok_or(Unfit { column: COLUMNS[index], problem: "is missing" });
    // The original takes an empty text for none.
    let data = text(8)?.filter(|data| !data.is_empty()).map(|data| readable_data(data, buffer));
    Ok(OldEntry {
        entry: EntryRef {
            source_id: some_text(1)?,
            correlation_id: some_text(2)?,
            timestamp: timestamp(columns[3])?,
            suffix: some_text(4)?,
            direction: some_text(5)?,
            operation: some_text(6)?,
            endpoint: some_text(7)?,
            data: data.map(|(data, _)| data),
            hostname: text(9)?.unwrap_or(UNKNOWN_HOSTNAME),
            raw_line: text(10)?,
        },
        data_kept_as_text: data.is_some_and(|(_, kept_as_text)| kept_as_text),
    })
}

fn timestamp(column: ValueRef<'_>) -> Result<f64, Unfit> {
    let unfit = |problem| Err(Unfit { column: "timestamp", problem });
    match column {
        // Adding zero takes the sign from a negative one, as ingest does.
        ValueRef::Real(number) if number.is_finite() => Ok(number + 0.0),
        ValueRef::Real(_) => unfit("is not finite"),
        _ => unfit("is not a number"),
    }
}

/// `data` as ingest would have stored it, or, where ingest would have refused it, wrapped so that every reader of the
/// chain can still read its answer. Says whether it was wrapped.
fn readable_data<'a>(text: &'a str, buffer: &'a mut String) -> (&'a str, bool) {
    buffer.clear();
    let json = serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get).filter(|json| json.starts_with('{'));
    match json.and_then(|json| Some((json, scan::scan(json, MAX_DATA_DEPTH).ok()?))) {
        Some((json, seen)) if seen.white_space => {
            scan::compact_into(json, buffer);
            (buffer, false)
        }
        Some((json, _)) => (json, false),
        None => {
            buffer.push_str("{\"migrated_text\":");
            buffer.push_str(&serde_json::Value::from(text).to_string());
            buffer.push('}');
            (buffer, true)
        }
    }
}

/// When the row arrived, in whole Unix seconds, if it says.
pub(super) fn arrived_at(row: &Row<'_>) -> rusqlite::Result<Option<i64>> {
    Ok(match row.get_ref(11)? {
        ValueRef::Integer(seconds) => Some(seconds),
        ValueRef::Real(seconds) => Some(whole_seconds(seconds)),
        ValueRef::Text(text) => {
            std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()).map(whole_seconds)
        }
        ValueRef::Null | ValueRef::Blob(_) => None,
    })
}

#[expect(clippy::cast_possible_truncation, reason = "a time is cut to its second; what no clock says saturates")]
fn whole_seconds(seconds: f64) -> i64 {
    seconds.floor() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_compacted_or_wrapped() {
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(120), "]".repeat(120));
        let cases = [
            (r#"{"b": 1, "a": [1, "x, y: z"]}"#, Some(r#"{"b":1,"a":[1,"x, y: z"]}"#)),
            (r#"{"n":12345678901234567890123}"#, Some(r#"{"n":12345678901234567890123}"#)),
            (r#"{"e": 1e+16, "rocket": "\ud83d\ude80"}"#, Some(r#"{"e":1e+16,"rocket":"\ud83d\ude80"}"#)),
            (r#"{"a": NaN}"#, None),
            (r#"{"a": -Infinity}"#, None),
            (r#"{"a": "\ud800"}"#, None),
            ("[1, 2]", None),
            ("no JSON \" at all", None),
            (&deep, None),
        ];
        for (text, expected) in cases {
            let mut buffer = "of the last row".to_owned();
            let (data, kept_as_text) = readable_data(text, &mut buffer);
            assert_eq!(kept_as_text, expected.is_none(), "{text}");
            if let Some(expected) = expected {
                assert_eq!(data, expected);
            } else {
                let read: serde_json::Value = serde_json::from_str(data).unwrap();
                assert_eq!(read, serde_json::json!({ "migrated_text": text }));
            }
        }
    }

    #[test]
    fn a_timestamp_is_finite_and_has_one_zero() {
        assert!(timestamp(ValueRef::Real(-0.0)).unwrap().is_sign_positive());
        assert_eq!(timestamp(ValueRef::Real(-1.5)).unwrap().to_bits(), (-1.5_f64).to_bits());
        let said = |column| timestamp(column).unwrap_err().to_string();
        assert_eq!(said(ValueRef::Real(f64::INFINITY)), "timestamp is not finite");
        assert_eq!(said(ValueRef::Text(b"soon")), "timestamp is not a number");
    }
}
