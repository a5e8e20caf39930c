//! What a checkpoint is, how it travels as JSON, what a chain of checkpoints means, and how it is kept.
//!
//! One entry's way through this crate: [`wire::ingest`] turns a request body into an [`wire::ingest::IngestBatch`] of
//! valid entries, [`store`] promises to keep a batch and give chains back, `store::sqlite` keeps that promise,
//! [`wire::read`] writes rows as JSON, and [`chain`] turns the entries of one chain into a forest of calls.
//!
//! The crate knows no HTTP, no async runtime and no command line. Without the feature `sqlite` it is the model alone,
//! small enough to embed in any service.

pub mod chain;
pub mod entry;
pub mod query;
pub mod redact;
pub mod store;
pub mod wire;

pub use entry::{Direction, EntryRef, InvalidEntry, TraceEntry};
