//! A server's life: open the store, start the writer, serve, and end in the order that loses nothing.

use std::any::Any;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::HttpServer;
use tracehub_core::store::sqlite::{OpenError, OpenOptions};
use tracehub_core::store::{StoreError, StoreReader as _};

use crate::access::Access;
use crate::app;
use crate::condition::Condition;
use crate::config::{self, Config};
use crate::ingest::Ingest;
use crate::live::admission::Admission;
use crate::live::hub::Hub;
use crate::open;
use crate::reader::Reader;
use crate::retention;
use crate::state::State;
use crate::writer::{self, WriterThread};

/// How long open requests may take when the server stops, in seconds.
const SHUTDOWN_SECONDS: u64 = 5;
/// How long an idle connection is kept. Clients reuse it: a new one costs more than a request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// What the system may hold of an answer for its reader. Left alone, it grows to several megabytes for each.
const SEND_BUFFER_BYTES: usize = 64 << 10;
/// How long the other side of a connection may take nothing of what is sent.
const STUCK: Duration = Duration::from_secs(15);

/// Why the server could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Opening the store panicked; the log says where.
    #[error("opening the database did not end as it should")]
    OpenPanicked,
    /// The store cannot be read.
    #[error("cannot read the database")]
    Read(#[source] StoreError),
    /// The writer's thread cannot be started.
    #[error("cannot start the writer")]
    Writer(#[source] io::Error),
    /// The disk failed, and failed again when it was tried: what it says cannot be trusted.
    #[error("the disk failed twice; start again when it is well")]
    Disk(#[source] StoreError),
    /// The server cannot serve.
    #[error("cannot serve")]
    Serve(#[source] io::Error),
}

/// Serves on `listener` until `shutdown` completes, then finishes what was accepted and returns.
///
/// The order of the end: the live streams are told and close, HTTP answers what is open and stops, the writer commits
/// what waits, the store closes.
///
/// # Errors
/// [`RunError`]; nothing that was acknowledged is lost.
pub async fn run(listener: TcpListener, config: Config, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    let options = OpenOptions { durability: config.durability, ..OpenOptions::new(&config.database) };
    let mut shutdown = pin!(shutdown);
    let Some((store, reader)) = open::open(options, &mut shutdown).await? else {
        tracing::info!("stopped before the database was open");
        return Ok(());
    };
    let hub = Arc::new(Hub::new(reader.newest_entry_id().map_err(RunError::Read)?));
    let (ingest, commands) = Ingest::new();
    let condition = Arc::new(Condition::default());
    let WriterThread { thread: writer, ended } =
        writer::spawn(Box::new(store), commands, Arc::clone(&hub), Arc::clone(&condition), &config)
            .map_err(RunError::Writer)?;
    let state = State {
        access: Arc::new(Access::new(&config.access)),
        config: Arc::new(config),
        ingest: ingest.clone(),
        reader: Reader::new(Arc::new(reader)),
        hub: Arc::clone(&hub),
        condition,
        streams: Admission::default(),
        started: Instant::now(),
    };

    announce(&listener, &state.config);
    let server = HttpServer::new(move || app::app(state.clone()))
        .workers(http_workers())
        .keep_alive(KEEP_ALIVE)
        .on_connect(|connection, _| bound(connection))
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .listen(listener)
        .map_err(RunError::Serve)?
        .run();
    let handle = server.handle();
    let stop = async {
        tokio::select! {
            () = &mut shutdown => {}
            () = retention::ask_regularly(ingest.clone()) => {}
            // It ends by itself only when it must; why, it says below.
            _ = ended => {}
        }
        tracing::info!("stopping: finishing what was accepted");
        hub.close();
        handle.stop(true).await;
    };
    let (outcome, ()) = tokio::join!(server, stop);

    let finished = actix_web::web::block(move || {
        ingest.stop();
        writer.join()
    });
    if let Ok(Ok(outcome)) = finished.await {
        outcome.map_err(RunError::Disk)?;
    } else {
        tracing::error!("the writer did not end as it should");
    }
    tracing::info!("stopped");
    outcome.map_err(RunError::Serve)
}

/// Threads that speak HTTP: one fewer than there are cores, because the writer keeps one busy.
fn http_workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
}

/// Bounds what a connection may take: a thousand listeners that do not read must not cost more than their places.
fn bound(connection: &dyn Any) {
    let Some(stream) = connection.downcast_ref::<tokio::net::TcpStream>() else { return };
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

/// Says once where the server is, what it keeps and who can reach it.
fn announce(listener: &TcpListener, config: &Config) {
    let address = listener.local_addr();
    let reach = match &address {
        Ok(address) if address.ip().is_loopback() => "this machine only",
        Ok(_) | Err(_) if config.access.secret.is_some() => "every machine that reaches this address, with the secret",
        Ok(_) | Err(_) => "every machine that reaches this address, without a secret",
    };
    let address = address.map_or_else(|_| "an unknown address".to_owned(), |address| address.to_string());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        database = %config.database.display(),
        retention_hours = config.retention_hours(),
        durability = ?config.durability,
        reachable_by = reach,
        "listening on http://{address}"
    );
    if config::is_temporary(&config.database) {
        tracing::warn!(database = %config.database.display(), "files there do not last; --db names a better place");
    }
}
