//! The store's promises, driven through its public surface.
//!
//! `contract` holds for any store behind `StoreWriter` and `StoreReader`; `sqlite_file` is about the one file,
//! `migration` about a file of the Python server.

#![expect(clippy::expect_used, reason = "a test helper that fails is a failed test")]

mod contract;
mod migration;
mod sqlite_file;
mod support;
