//! The SDK from outside: its public API against a small HTTP server on the loopback.
#![expect(clippy::expect_used, reason = "a test helper that fails is a failed test")]

mod bad_network;
mod blocking;
mod checkpoint;
mod correlation;
mod flush_close;
mod killed;
#[cfg(feature = "layer")]
mod layer;
mod losses;
#[cfg(any(feature = "actix-web", feature = "reqwest", feature = "tower"))]
mod middleware;
mod misbehaviour;
mod original;
mod outage;
mod query;
mod query_filters;
mod real_server;
mod resume;
mod runtime;
mod sending;
mod spool;
mod stream;
mod support;
mod test_sink;
