//! What the example services share: the correlation id of a request, and the service's start and end.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::{Deserialize, Serialize};
use tracehub_client::TraceHubClient;
use tracehub_client::correlation::{self, CORRELATION_HEADER};

/// How long the last checkpoints may take to reach the server when a service ends.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// What the manager asks the others to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The order it belongs to, counted from one.
    pub(crate) order: u64,
    /// What is ordered.
    pub(crate) item: String,
    /// How many of it.
    pub(crate) quantity: u32,
}

/// The id that ties together everything one request causes, across all services.
#[derive(Debug)]
pub(crate) struct CorrelationId(pub(crate) String);

impl FromRequest for CorrelationId {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    /// Takes the caller's id, so that its chain goes on here. Without one, or with one that cannot be trusted, a new
    /// chain starts.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let inbound = request.headers().get(CORRELATION_HEADER).and_then(|value| value.to_str().ok());
        let trusted = inbound.filter(|id| correlation::valid_inbound(id));
        ready(Ok(Self(trusted.map_or_else(correlation::new_id, str::to_owned))))
    }
}

/// Listens on a port of this machine, 0 for a free one, and says where.
pub(crate) fn listen(name: &str, port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    writeln!(io::stderr(), "{name} listening on http://{}", listener.local_addr()?)?;
    Ok(listener)
}

/// The last thing a service does: delivers the checkpoints that still wait, and says what became of all of them.
pub(crate) fn close(name: &str, client: &TraceHubClient) -> io::Result<()> {
    let report = client.close(CLOSE_DEADLINE);
    writeln!(
        io::stderr(),
        "{name} ended; checkpoints delivered: {}, dropped: {}, pending: {}",
        report.delivered,
        report.dropped,
        report.pending
    )
}
