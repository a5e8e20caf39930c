//! The dictionary: names of sources, operations, endpoints and hosts, stored once and referred to by number.
//!
//! It is bounded, because names come from strangers: once it is full, a name that is not in it is stored as text in
//! each entry. It never shrinks and nothing is added after it was full, so that a name is always stored the same way
//! and duplicates are always found.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use rusqlite::types::{FromSqlError, ToSqlOutput, Type, ValueRef};
use rusqlite::{Connection, ToSql};

/// The most names that the dictionary holds. Their table takes 1 MB of memory, the names themselves a few more.
const MAX_NAMES: usize = 65_536;
/// A longer name is stored as text. Names repeat and are short; what is longer is likely unique.
const MAX_INTERNED_BYTES: usize = 128;

/// How a name stands in a column: its number, or itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameKey<'a> {
    Number(i64),
    Text(&'a str),
}

impl ToSql for NameKey<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Number(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// The readers' side: number to name, without a lock. Numbers count from 1.
#[derive(Debug, Clone)]
pub(super) struct NameTable(Arc<[OnceLock<Arc<str>>]>);

impl NameTable {
    pub(super) fn new() -> Self {
        Self(std::iter::repeat_with(OnceLock::new).take(MAX_NAMES).collect())
    }

    fn set(&self, number: i64, name: Arc<str>) {
        if let Some(slot) = slot_of(number).and_then(|index| self.0.get(index)) {
            // A number is given to one name only, so a slot that is taken holds this very name.
            let _ = slot.set(name);
        }
    }

    /// The name that a column stands for.
    pub(super) fn resolve<'a>(&'a self, column: ValueRef<'a>) -> rusqlite::Result<&'a str> {
        let ValueRef::Integer(number) = column else {
            return Ok(column.as_str()?);
        };
        slot_of(number).and_then(|index| self.0.get(index)?.get()).map(|name| &**name).ok_or_else(|| {
            rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, Box::new(FromSqlError::OutOfRange(number)))
        })
    }
}

fn slot_of(number: i64) -> Option<usize> {
    usize::try_from(number - 1).ok()
}

/// The writer's side: name to number.
///
/// A new name gets its number at once and is saved before the transaction commits. If that transaction is rolled back,
/// the number stays and is saved with the next.
#[derive(Debug)]
pub(super) struct Names {
    numbers: HashMap<Arc<str>, i64>,
    unsaved: Vec<Arc<str>>,
    table: NameTable,
}

impl Names {
    pub(super) fn load(connection: &Connection, table: NameTable) -> rusqlite::Result<Self> {
        let mut numbers = HashMap::new();
        let mut statement = connection.prepare("SELECT id, name FROM names ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let number = row.get(0)?;
            let name: Arc<str> = row.get_ref(1)?.as_str()?.into();
            table.set(number, Arc::clone(&name));
            numbers.insert(name, number);
        }
        Ok(Self { numbers, unsaved: Vec::new(), table })
    }

    /// The key of a name, which is added to the dictionary while there is room.
    pub(super) fn intern<'a>(&mut self, name: &'a str) -> NameKey<'a> {
        if let Some(&number) = self.numbers.get(name) {
            return NameKey::Number(number);
        }
        if self.numbers.len() >= MAX_NAMES || name.len() > MAX_INTERNED_BYTES {
            return NameKey::Text(name);
        }
        let number = i64::try_from(self.numbers.len() + 1).unwrap_or(i64::MAX);
        let name: Arc<str> = name.into();
        self.table.set(number, Arc::clone(&name));
        self.unsaved.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        NameKey::Number(number)
    }

    /// The readers' side of it.
    pub(super) fn table(&self) -> &NameTable {
        &self.table
    }

    /// Writes the new names; part of the transaction that uses them.
    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        if self.unsaved.is_empty() {
            return Ok(());
        }
        let mut insert = connection.prepare_cached("INSERT INTO names (id, name) VALUES (?1, ?2)")?;
        for name in &self.unsaved {
            insert.execute((self.numbers[name], &**name))?;
        }
        Ok(())
    }

    /// The transaction that [`save`](Self::save) was part of has committed.
    pub(super) fn saved(&mut self) {
        self.unsaved.clear();
    }
}
