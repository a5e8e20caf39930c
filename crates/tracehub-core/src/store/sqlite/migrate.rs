//! Schema versions: `PRAGMA user_version` counts the migrations that a file has had, `application_id` says it is ours.

use rusqlite::Connection;

use super::import;

/// `application_id` of a TraceHub file: the bytes `TrHb`.
const APPLICATION_ID: i32 = 0x5472_4862;
/// How many migrations a file of the newest schema has had.
pub(super) const NEWEST: usize = 1;
/// The migrations in order. Once released, one is never edited; the next is added.
const MIGRATIONS: [&str; NEWEST] = [include_str!("../../../migrations/0001_entries.sql")];

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Ours, or nobody's yet, with so many migrations behind it.
    Ours { version: usize },
    /// The Python server's, 0.1.0.
    Python,
}

/// Why a file has no version that this program knows.
#[derive(Debug, thiserror::Error)]
pub(super) enum OwnerError {
    #[error("{0}")]
    Foreign(String),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Brings a file of `version` to the newest schema, each step in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection, version: usize) -> rusqlite::Result<()> {
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(version) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", index + 1)?;
        transaction.commit()?;
    }
    if version < MIGRATIONS.len() {
        // The schema must not live in the WAL alone: a power cut before the first checkpoint would take it all.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}

/// Whose file it is; refuses what is of others or newer than this program.
pub(super) fn owner(connection: &Connection) -> Result<Owner, OwnerError> {
    let application_id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: usize = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if application_id == APPLICATION_ID {
        return if version <= MIGRATIONS.len() {
            Ok(Owner::Ours { version })
        } else {
            Err(OwnerError::Foreign(format!(
                "it was written by a newer version (schema {version}, this program knows {})",
                MIGRATIONS.len()
            )))
        };
    }
    let tables: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if tables.is_empty() {
        Ok(Owner::Ours { version: 0 })
    } else if tables == ["traces"] && columns_of_traces(connection)? == import::COLUMNS {
        Ok(Owner::Python)
    } else {
        Err(OwnerError::Foreign(format!("it holds the tables {}", tables.join(", "))))
    }
}

fn columns_of_traces(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT name FROM pragma_table_info('traces') ORDER BY cid")?
        .query_map([], |row| row.get(0))?
        .collect()
}
