//! Helpers of all tests: entries, clients and a runtime.

mod proxy;
mod real;
mod server;

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use tracehub_client::{Stats, TraceEntry, TraceHubClient};

pub(crate) use proxy::{Fate, Proxy};
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

/// A URL of the loopback where nobody listens.
pub(crate) fn url_of_nobody() -> String {
    format!("http://{}", free_address())
}

pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback is free");
    listener.local_addr().expect("a bound listener has an address")
}

/// The counts, which balance at any moment.
pub(crate) fn balanced(client: &TraceHubClient) -> Stats {
    let stats = client.stats();
    let counted = stats.delivered + stats.spooled + stats.dropped.total() + stats.pending;
    assert_eq!(stats.accepted, counted, "{stats:?}");
    stats
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}
