//! Helpers of all tests: entries, clients and a runtime.

mod real;
mod server;

use std::time::Duration;

use tracehub_client::{TraceEntry, TraceHubClient};

pub(crate) use real::RealServer;
pub(crate) use server::{Reply, Request, Server};

/// Longer than any test should take; a wait of this length that ends by itself is a failure.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// An entry that is told from others by its suffix.
pub(crate) fn entry(suffix: &(impl ToString + ?Sized)) -> TraceEntry {
    TraceEntry::builder("MA", "c1")
        .suffix(suffix.to_string())
        .operation("REST")
        .endpoint("/api/orders")
        .timestamp(1_706_803_200_123.0)
        .build()
        .expect("the entry keeps the limits")
}

/// A client of `server` with the defaults.
pub(crate) fn client(server: &Server) -> TraceHubClient {
    TraceHubClient::builder(&server.url()).build().expect("the settings are valid")
}

/// Sends entries with the suffixes `0..count`.
pub(crate) fn send(client: &TraceHubClient, count: usize) {
    for number in 0..count {
        client.send(entry(&number)).expect("there is room");
    }
}

/// A runtime as a host would have it.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built")
}
