//! HTTP in, rows kept, events out.
//!
//! A batch's journey: `connection/` accepts it, `access/gate.rs` lets it pass, `routes/ingest.rs` takes the request, `extract/body.rs` its bytes, `tracehub_core` turns
//! them into valid entries, `ingest.rs` puts the batch into the bounded queue and waits, `writer.rs` commits it with
//! whatever else waits, answers, and hands the new entries to `live/hub.rs`, which wakes the streams of `live/stream.rs`.
//! Reads go `routes/*.rs`, `reader.rs`, store. `error.rs` is the only door from a failure to a status code.

pub mod access;
mod app;
pub mod args;
mod chain_body;
mod clock;
mod condition;
pub mod config;
pub mod connection;
mod error;
mod extract;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod healthcheck;
mod ingest;
mod ingest_limit;
mod live;
mod metrics;
pub mod notify;
mod observe;
mod open;
mod openapi;
mod page;
mod pulse;
mod reader;
mod recovery;
mod retention;
mod route;
mod routes;
mod run;
mod state;
pub mod telemetry;
mod upkeep;
mod writer;

pub use self::run::{RunError, run};
