//! The store on SQLite: one connection writes, a pool of read-only connections reads, WAL between them.
//!
//! `open` makes or checks the file, `migrate` its schema, `import` takes over a file of the Python server; `write` stores
//! a group of batches in one transaction with the help of `names` (the dictionary) and `chains` (the summaries);
//! `retention` deletes; `read` answers.

mod chains;
mod import;
mod migrate;
mod names;
mod open;
mod read;
mod retention;
mod write;

pub use self::import::{MigrationProgress, MigrationReport};
pub use self::open::{Durability, OpenError, OpenOptions, open, open_with_progress};
pub use self::read::SqliteReader;
pub use self::write::SqliteWriter;

/// The value of the column `direction` for `->`.
const ENTER: i64 = 0;
/// The value of the column `direction` for `<-`.
const LEAVE: i64 = 1;
