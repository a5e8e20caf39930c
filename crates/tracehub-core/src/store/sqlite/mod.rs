//! The store on SQLite: one connection writes, a pool of read-only connections reads, WAL between them.
//!
//! `open` makes or checks the file, `migrate` its schema, `import` takes over a file of the Python server; `write` stores
//! a group of batches in one transaction with the help of `identity` (which finds duplicates), `sites` (the dictionary of
//! names) and `chains` (each chain's `summary` and list of entries, of which the newest part is `recent` in memory and the
//! rest encoded by `id_list`); `retention` deletes, `space` gives room back; `read` and `list`
//! answer, each from one `snapshot`. `failure` says what an error of SQLite means.

mod backup;
mod chains;
mod failure;
mod id_list;
mod identity;
mod import;
mod list;
mod lock;
mod log_check;
mod migrate;
mod open;
mod read;
mod recent;
mod retention;
mod sites;
mod snapshot;
mod space;
mod summary;
mod write;

pub use self::backup::{BackupError, backup};
pub use self::import::{MigrationProgress, MigrationReport};
pub use self::log_check::LogDamage;
pub use self::open::{Durability, OpenError, OpenOptions, open, open_with_progress};
pub use self::read::SqliteReader;
pub use self::write::SqliteWriter;

use rusqlite::types::ValueRef;

/// The value of the column `direction` for `->`.
const ENTER: i64 = 0;
/// The value of the column `direction` for `<-`.
const LEAVE: i64 = 1;

/// The direction that the column stands for.
fn direction(column: ValueRef<'_>) -> rusqlite::Result<&str> {
    match column {
        ValueRef::Integer(ENTER) => Ok("->"),
        ValueRef::Integer(LEAVE) => Ok("<-"),
        mark => Ok(mark.as_str()?),
    }
}
