//! The store's promises, driven through its public surface.
//!
//! `contract` holds for any store behind `StoreWriter` and `StoreReader`; `duplicates` is about entries of one time,
//! `hostile_text` about text that looks like SQL, `list` about lists of chains, `sqlite_file` about the one file, `migration`
//! about a file of the Python server.

#![expect(clippy::expect_used, reason = "a test helper that fails is a failed test")]

mod contract;
mod duplicates;
mod hostile_text;
mod list;
mod migration;
mod sqlite_file;
mod support;
