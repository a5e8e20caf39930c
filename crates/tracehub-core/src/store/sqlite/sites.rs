//! The dictionary of sites: where entries are logged, stored once and referred to by number.
//!
//! It is bounded, because names come from strangers: what does not fit is stored as text in each entry. Whether a site
//! is in the dictionary says nothing about what an entry is: duplicates are found by the names themselves.

use std::borrow::Cow;
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::{Arc, OnceLock};

use hashbrown::{DefaultHashBuilder, HashTable};
use rusqlite::types::{FromSqlError, ToSqlOutput, Type, ValueRef};
use rusqlite::{Connection, ToSql};

use crate::entry::EntryRef;
use crate::query::PlaceFilter;

/// The most sites that the dictionary holds. Their table takes 1 MB of memory.
const MAX_SITES: usize = 65_536;
/// The most bytes that the names of all sites together take.
const MAX_TEXT_BYTES: usize = 8 << 20;
/// A site with longer names is stored as text. Names repeat and are short; what is longer is likely unique.
const MAX_SITE_BYTES: usize = 512;

/// Where an entry was logged: source, operation, endpoint and host name, one after the other in one allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    text: Box<str>,
    /// Where each of the first three ends.
    ends: [usize; 3],
}

impl Site {
    fn new([source, operation, endpoint, hostname]: [&str; 4]) -> Self {
        let text = [source, operation, endpoint, hostname].concat().into_boxed_str();
        let ends = [source.len(), source.len() + operation.len(), source.len() + operation.len() + endpoint.len()];
        Self { text, ends }
    }

    pub(super) fn source(&self) -> &str {
        &self.text[..self.ends[0]]
    }

    pub(super) fn operation(&self) -> &str {
        &self.text[self.ends[0]..self.ends[1]]
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.text[self.ends[1]..self.ends[2]]
    }

    pub(super) fn hostname(&self) -> &str {
        &self.text[self.ends[2]..]
    }

    /// Whether entries of this site are wanted.
    pub(super) fn matches(&self, filter: &PlaceFilter) -> bool {
        filter.matches_names(self.names())
    }

    fn names(&self) -> [&str; 4] {
        [self.source(), self.operation(), self.endpoint(), self.hostname()]
    }
}

/// How a site stands in its column: its number, or a JSON array of its four names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SiteKey {
    Number(i64),
    Text(String),
}

impl ToSql for SiteKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Number(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl SiteKey {
    /// The number; none of one that is not in the dictionary.
    pub(super) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) => None,
        }
    }
}

/// The readers' side: number to site, without a lock. Numbers count from 1.
#[derive(Clone)]
pub(super) struct SiteTable(Arc<[OnceLock<Site>]>);

impl fmt::Debug for SiteTable {
    /// Without its thousands of slots.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SiteTable")
    }
}

impl SiteTable {
    pub(super) fn new() -> Self {
        Self(std::iter::repeat_with(OnceLock::new).take(MAX_SITES).collect())
    }

    fn get(&self, number: i64) -> Option<&Site> {
        self.0.get(usize::try_from(number - 1).ok()?)?.get()
    }

    /// For each number that is given, whether its site is wanted. Numbers count from 1, places from 0.
    pub(super) fn matching(&self, filter: &PlaceFilter) -> Vec<bool> {
        self.0.iter().map_while(OnceLock::get).map(|site| site.matches(filter)).collect()
    }

    fn set(&self, number: i64, site: Site) {
        if let Some(slot) = usize::try_from(number - 1).ok().and_then(|index| self.0.get(index)) {
            // A number is given to one site only, so a slot that is taken holds this very site.
            let _ = slot.set(site);
        }
    }

    /// The site that a column stands for.
    pub(super) fn resolve(&self, column: ValueRef<'_>) -> rusqlite::Result<Cow<'_, Site>> {
        match column {
            ValueRef::Integer(number) => self.get(number).map(Cow::Borrowed).ok_or_else(|| {
                let unknown = Box::new(FromSqlError::OutOfRange(number));
                rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, unknown)
            }),
            text => {
                let names: [Cow<'_, str>; 4] = serde_json::from_str(text.as_str()?)
                    .map_err(|err| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(err)))?;
                Ok(Cow::Owned(Site::new(names.each_ref().map(AsRef::as_ref))))
            }
        }
    }
}

/// The writer's side: site to number.
///
/// A new site gets its number at once and is saved before the transaction commits. If that transaction is rolled back,
/// the number stays and is saved with the next.
#[derive(Debug)]
pub(super) struct Sites {
    numbers: HashTable<i64>,
    hasher: DefaultHashBuilder,
    text_bytes: usize,
    unsaved: Vec<i64>,
    table: SiteTable,
}

impl Sites {
    pub(super) fn load(connection: &Connection, table: SiteTable) -> rusqlite::Result<Self> {
        let mut sites = Self {
            numbers: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            text_bytes: 0,
            unsaved: Vec::new(),
            table,
        };
        let mut statement = connection.prepare("SELECT id, source, operation, endpoint, hostname FROM sites")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str()?);
            sites.add(row.get(0)?, [name(1)?, name(2)?, name(3)?, name(4)?]);
        }
        Ok(sites)
    }

    /// The key of an entry's site, which is added to the dictionary while there is room.
    pub(super) fn intern(&mut self, entry: &EntryRef<'_>) -> SiteKey {
        let names = [entry.source_id, entry.operation, entry.endpoint, entry.hostname];
        let (hash, table) = (self.hasher.hash_one(names), &self.table);
        let same = |number: &i64| table.get(*number).is_some_and(|site| site.names() == names);
        if let Some(&number) = self.numbers.find(hash, same) {
            return SiteKey::Number(number);
        }
        let bytes: usize = names.iter().map(|name| name.len()).sum();
        if self.numbers.len() >= MAX_SITES || bytes > MAX_SITE_BYTES || self.text_bytes + bytes > MAX_TEXT_BYTES {
            // Strings have no way to fail.
            return SiteKey::Text(serde_json::to_string(&names).unwrap_or_default());
        }
        let number = i64::try_from(self.numbers.len() + 1).unwrap_or(i64::MAX);
        self.add(number, names);
        self.unsaved.push(number);
        SiteKey::Number(number)
    }

    fn add(&mut self, number: i64, names: [&str; 4]) {
        let Self { numbers, hasher, table, .. } = self;
        self.text_bytes += names.iter().map(|name| name.len()).sum::<usize>();
        table.set(number, Site::new(names));
        let rehash = |number: &i64| table.get(*number).map_or(0, |site| hasher.hash_one(site.names()));
        numbers.insert_unique(hasher.hash_one(names), number, rehash);
    }

    /// The readers' side of it.
    pub(super) fn table(&self) -> &SiteTable {
        &self.table
    }

    /// Writes the new sites; part of the transaction that uses them.
    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        if self.unsaved.is_empty() {
            return Ok(());
        }
        let mut insert = connection.prepare_cached(
            "INSERT INTO sites (id, source, operation, endpoint, hostname) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for &number in &self.unsaved {
            if let Some(site) = self.table.get(number) {
                insert.execute((number, site.source(), site.operation(), site.endpoint(), site.hostname()))?;
            }
        }
        Ok(())
    }

    /// The transaction that [`save`](Self::save) was part of has committed.
    pub(super) fn saved(&mut self) {
        self.unsaved.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites() -> Sites {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../../migrations/0001_entries.sql")).unwrap();
        Sites::load(&connection, SiteTable::new()).unwrap()
    }

    fn at<'a>(source_id: &'a str, operation: &'a str) -> EntryRef<'a> {
        EntryRef {
            source_id,
            correlation_id: "c",
            timestamp: 0.0,
            suffix: "",
            direction: "->",
            operation,
            endpoint: "/e",
            data: None,
            hostname: "h",
            raw_line: None,
        }
    }

    #[test]
    fn names_that_read_alike_are_told_apart() {
        let mut sites = sites();
        let first = sites.intern(&at("a", "bc"));
        assert_ne!(sites.intern(&at("ab", "c")), first);
        assert_eq!(sites.intern(&at("a", "bc")), first);
    }

    #[test]
    fn what_does_not_fit_is_kept_as_text_and_comes_back() {
        let mut sites = sites();
        let long = "\"x\\".repeat(200);
        let SiteKey::Text(text) = sites.intern(&at(&long, "o")) else { panic!("too long for the dictionary") };
        let site = sites.table().resolve(ValueRef::Text(text.as_bytes())).unwrap();
        assert_eq!(site.names(), [&long, "o", "/e", "h"]);
    }

    #[test]
    fn a_full_dictionary_still_knows_its_own() {
        let mut sites = sites();
        let names: Vec<String> = (0..=MAX_SITES).map(|number| number.to_string()).collect();
        let keys: Vec<SiteKey> = names.iter().map(|name| sites.intern(&at(name, "o"))).collect();
        assert!(matches!(keys[MAX_SITES], SiteKey::Text(_)));
        assert_eq!(sites.intern(&at(&names[5], "o")), keys[5]);
        let number = ValueRef::Integer(6);
        assert_eq!(sites.table().resolve(number).unwrap().source(), "5");
        assert!(sites.table().resolve(ValueRef::Integer(i64::MAX)).is_err());
    }
}
