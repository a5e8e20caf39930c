//! Schema versions: `PRAGMA user_version` counts the migrations that a file has had, `application_id` says it is ours.

use rusqlite::Connection;

/// `application_id` of a TraceHub file: the bytes `TrHb`.
const APPLICATION_ID: i32 = 0x5472_4862;
/// The migrations in order. Once released, one is never edited; the next is added.
const MIGRATIONS: [&str; 1] = [include_str!("../../../migrations/0001_entries.sql")];

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

/// The file's version, 0 if it is empty; refuses what is not ours or newer than this program.
pub(super) fn version(connection: &Connection) -> Result<usize, OwnerError> {
    let application_id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: usize = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if application_id == APPLICATION_ID {
        return if version <= MIGRATIONS.len() {
            Ok(version)
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
        Ok(0)
    } else if tables == ["traces"] {
        Err(OwnerError::Foreign("it was written by the Python server 0.1.0; choose another file".to_owned()))
    } else {
        Err(OwnerError::Foreign(format!("it holds the tables {}", tables.join(", "))))
    }
}
