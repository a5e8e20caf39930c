//! The store on SQLite: one connection writes, a pool of read-only connections reads, WAL between them.
//!
//! `open` makes or checks the file, `migrate` its schema; `write` stores a group of batches in one transaction with
//! the help of `names` (the dictionary) and `chains` (the summaries); `retention` deletes; `read` answers.

mod chains;
mod migrate;
mod names;
mod open;
mod read;
mod retention;
mod write;

pub use self::open::{Durability, OpenError, OpenOptions, open};
pub use self::read::SqliteReader;
pub use self::write::SqliteWriter;

/// The value of the column `direction` for `->`.
const ENTER: i64 = 0;
/// The value of the column `direction` for `<-`.
const LEAVE: i64 = 1;
