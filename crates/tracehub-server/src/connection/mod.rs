//! Connections: accepted within a limit, encrypted if asked for, given deadlines, and parted from with a word.
//!
//! `places` counts them, `tls` encrypts, `guarded` is what every byte passes, `refusal` knows what the HTTP layer says by
//! itself, `parting` says the last word so that it arrives. `actix_web::HttpServer` is this with less: it waits for ever
//! for the second request's head, answers what is not HTTP without a body, and lets the whole process wait at its limit.

mod descriptors;
mod guarded;
mod parting;
mod places;
mod refusal;
mod stream;
mod tls;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Protocol};
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::dev::AppConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

pub(crate) use self::guarded::Handle;
use self::guarded::{Guarded, HEAD_TIMEOUT};
use self::parting::Parting;
use self::places::Places;
use self::stream::Stream;
pub use self::tls::{Tls, TlsError};
use crate::app;
use crate::error::ApiError;
use crate::state::State;

/// How long open requests may take when the server stops, in seconds.
const SHUTDOWN_SECONDS: u64 = 5;
/// How long what an early answer left unread is taken in, so that the answer arrives.
const LINGER: Duration = Duration::from_secs(1);
/// Connections that are told that there is no place, at a time. More wait for the system to hand them over.
const MAX_PARTING: usize = 256;
/// What the system may hold of an answer for its reader. Left alone, it grows to several megabytes for each.
const SEND_BUFFER_BYTES: usize = 64 << 10;
/// How long the other side of a connection may take nothing of what is sent.
const STUCK: Duration = Duration::from_secs(15);

/// How many connections there may be, and whether they are encrypted.
#[derive(Debug, Clone)]
pub struct ConnectionConfig {
    /// The most at a time.
    pub most: usize,
    /// What encrypts them; none: plain HTTP.
    pub tls: Option<Tls>,
}

/// Serves every connection of a listener. The caller awaits the server, or ends it by its handle.
pub(crate) fn serve(listener: TcpListener, state: State) -> io::Result<Server> {
    let config = &state.config.connections;
    let places = Places::new(descriptors::make_room(config.most));
    let tls = config.tls.as_ref().map(|tls| TlsAcceptor::from(Arc::clone(&tls.0)));
    let builder = ServerBuilder::new();
    let stopping = builder.graceful_shutdown_signal();
    let most = places.most() + MAX_PARTING;
    let service = move || {
        let stopping = stopping.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            // Both are the guard's business.
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(LINGER)
            .on_connect_ext(|connection: &Guarded, data| drop(data.insert(connection.handle())))
            .finish(map_config(
                app::app(state.clone()).into_factory().map_err(|err: actix_web::Error| err.error_response()),
                |()| AppConfig::default(),
            ));
        let (places, tls) = (places.clone(), tls.clone());
        fn_service(move |stream| accept(stream, places.clone(), tls.clone())).and_then(http)
    };
    let server = builder
        .workers(http_workers())
        .max_concurrent_connections(most)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .listen("tracehub", listener, service)?;
    Ok(server.run())
}

/// Threads that speak HTTP: one fewer than there are cores, because the writer keeps one busy.
fn http_workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
}

/// Gives a connection its place and its bounds, and agrees on a key. An error ends it; what there is to say is said.
async fn accept(
    stream: TcpStream,
    places: Places,
    tls: Option<TlsAcceptor>,
) -> Result<(Guarded, Protocol, Option<SocketAddr>), DispatchError> {
    bound(&stream);
    let peer = stream.peer_addr().ok();
    let Some(place) = places.take() else {
        // Nothing can be said to the other side of TLS before there is a key, and a key is work.
        if tls.is_none() {
            Parting::new(&ApiError::TooManyConnections).say(&mut Stream::Plain(stream)).await;
        }
        return Err(io::Error::other("there are as many connections as there may be").into());
    };
    let stream = match tls {
        None => Stream::Plain(stream),
        Some(tls) => {
            let agreed = tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)).await;
            let agreed = agreed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            Stream::Tls(Box::new(agreed.inspect_err(|err| tracing::debug!(error = %err, "no TLS"))?))
        }
    };
    Ok((Guarded::new(stream, place), Protocol::Http1, peer))
}

/// Bounds what a connection may take: a thousand listeners that do not read must not cost more than their places.
fn bound(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    // The system ends a connection whose other side takes nothing, and its descriptor comes free.
    #[cfg(target_os = "linux")]
    let timed = socket.set_tcp_user_timeout(Some(STUCK));
    #[cfg(not(target_os = "linux"))]
    let timed = Ok(());
    if let Err(err) = timed.and(socket.set_send_buffer_size(SEND_BUFFER_BYTES)) {
        tracing::debug!(error = %err, "a connection goes without its bounds");
    }
}
