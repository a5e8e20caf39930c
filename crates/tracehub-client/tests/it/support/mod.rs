//! Helpers of all tests: entries, clients and a runtime.

mod pauses;
mod proxy;
mod real;
mod server;

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tracehub_client::{Stats, TraceEntry, TraceHubClient};

pub(crate) use pauses::pauses;
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

/// A client that sends nothing unless it is flushed, and then all in one request.
pub(crate) fn patient_client(server: &Server) -> TraceHubClient {
    let builder = TraceHubClient::builder(&server.url()).batch_size(1_000).flush_interval(Duration::from_hours(1));
    builder.build().expect("the settings are valid")
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

/// An address of the loopback where nobody listens, and nobody will by chance: it is held for as long as this process lives,
/// so that the system gives it to no other test. A server may listen there, and end, and listen there again.
pub(crate) fn free_address() -> SocketAddr {
    let holder = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there is a socket");
    holder.set_reuse_address(true).expect("others may listen at its address");
    holder.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port of the loopback is free");
    let address = holder.local_addr().ok().and_then(|address| address.as_socket());
    std::mem::forget(holder);
    address.expect("a bound socket has an address")
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
