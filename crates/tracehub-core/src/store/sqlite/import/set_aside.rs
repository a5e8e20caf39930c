//! The rows that cannot be entries: written to a file of their own, one JSON object a line, so that none is lost.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde_json::Value;

use super::ImportError;
use super::row::COLUMNS;
use crate::store::sqlite::open::private_options;

/// The file, made with the first row.
#[derive(Debug)]
pub(super) struct SetAside {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl SetAside {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None }
    }

    /// Adds a row of [`COLUMNS`] and why it is here.
    pub(super) fn push(&mut self, row: &Row<'_>, reason: &str) -> Result<(), ImportError> {
        let mut line = String::from("{");
        for (index, column) in COLUMNS.iter().enumerate() {
            push_field(&mut line, column, &json_of(row.get_ref(index).map_err(ImportError::Old)?));
            line.push(',');
        }
        push_field(&mut line, "reason", &reason.into());
        line.push_str("}\n");
        let failed = ImportError::files("write the rows that are set aside");
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(BufWriter::new(private_options().create_new(true).open(&self.path).map_err(&failed)?)),
        };
        file.write_all(line.as_bytes()).map_err(failed)
    }

    /// Syncs the file; says whether there is one.
    pub(super) fn finish(self) -> Result<bool, ImportError> {
        let Some(file) = self.file else {
            return Ok(false);
        };
        file.into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .map_err(ImportError::files("sync the rows that are set aside"))?;
        Ok(true)
    }
}

fn push_field(line: &mut String, key: &str, value: &Value) {
    // Writing into memory has no way to fail.
    let _ = write!(line, "\"{key}\":{value}");
}

/// A value as JSON. What JSON cannot say is a text (`Infinity`) or the bytes in hexadecimal digits.
fn json_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) if number.is_finite() => number.into(),
        ValueRef::Real(number) => if number > 0.0 { "Infinity" } else { "-Infinity" }.into(),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).map_or_else(|_| hexadecimal(bytes), Value::from),
        ValueRef::Blob(bytes) => hexadecimal(bytes),
    }
}

fn hexadecimal(bytes: &[u8]) -> Value {
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(digits, "{byte:02x}");
    }
    serde_json::json!({ "hex": digits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_json() {
        let cases = [
            (ValueRef::Null, "null"),
            (ValueRef::Integer(-7), "-7"),
            (ValueRef::Real(1.5), "1.5"),
            (ValueRef::Real(f64::NEG_INFINITY), "\"-Infinity\""),
            (ValueRef::Text(b"a\"\0"), r#""a\"\u0000""#),
            (ValueRef::Text(b"\xff"), r#"{"hex":"ff"}"#),
            (ValueRef::Blob(b"\0A"), r#"{"hex":"0041"}"#),
        ];
        for (value, expected) in cases {
            assert_eq!(json_of(value).to_string(), expected);
        }
    }
}
