//! A server's life: open the store, start the writer, serve, and end in the order that loses nothing.

use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use tracehub_core::store::sqlite::{OpenError, OpenOptions};
use tracehub_core::store::{StoreError, StoreReader as _};

use crate::access::Access;
use crate::condition::Condition;
use crate::config::{self, Config};
use crate::connection;
use crate::extract::room::BodyRoom;
use crate::ingest::Ingest;
use crate::ingest_limit::IngestLimit;
use crate::live::admission::Admission;
use crate::live::hub::Hub;
use crate::metrics::commits::Commits;
use crate::open;
use crate::pulse::Pulse;
use crate::reader::Reader;
use crate::retention;
use crate::state::State;
use crate::writer::{self, WriterThread};

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
/// The order of the end: `/readyz` says no, and for as long as that is set requests are still answered; the live streams
/// are told and close, HTTP answers what is open and stops, the writer commits what waits, the store closes.
///
/// # Errors
/// [`RunError`]; nothing that was acknowledged is lost.
pub async fn run(listener: TcpListener, config: Config, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    let options = OpenOptions { durability: config.durability, ..OpenOptions::new(&config.database) };
    let mut shutdown = pin!(shutdown);
    let supervisor = Arc::clone(&config.supervisor);
    let Some((store, reader)) = open::open(options, Arc::clone(&supervisor), &mut shutdown).await? else {
        tracing::info!("stopped before the database was open");
        return Ok(());
    };
    let hub = Arc::new(Hub::new(reader.newest_entry_id().map_err(RunError::Read)?));
    let (ingest, commands) = Ingest::new();
    let condition = Arc::new(Condition::default());
    let commits = Arc::new(Commits::default());
    let WriterThread { thread: writer, ended } = writer::spawn(
        Box::new(store),
        commands,
        Arc::clone(&hub),
        Arc::clone(&condition),
        Arc::clone(&commits),
        &config,
    )
    .map_err(RunError::Writer)?;
    let drain = config.drain;
    let state = State {
        access: Arc::new(Access::new(&config)),
        ingest_limit: config.ingest_limit.map(|entries| Arc::new(IngestLimit::new(entries))),
        bodies: BodyRoom::default(),
        config: Arc::new(config),
        ingest: ingest.clone(),
        reader: Reader::new(Arc::new(reader)),
        hub: Arc::clone(&hub),
        condition,
        pulse: Arc::new(Pulse::default()),
        commits,
        requests: Arc::default(),
        slow: Arc::default(),
        streams: Admission::default(),
        started: Instant::now(),
    };

    let (pulse, reader) = (Arc::clone(&state.pulse), state.reader.clone());
    let status = announce(&listener, &state.config);
    let server = connection::serve(listener, state).map_err(RunError::Serve)?;
    let handle = server.handle();
    let read = async || reader.query(|store| store.newest_entry_id()).await.map(drop);
    let stop = async {
        supervisor.ready(&status);
        let may_drain = tokio::select! {
            () = &mut shutdown => true,
            () = retention::ask_regularly(ingest.clone()) => true,
            () = pulse.watch(&ingest, &read, &supervisor) => true,
            // It ends by itself only when it must; why, it says below. Without it there is nothing to go on with.
            _ = ended => false,
        };
        pulse.stop();
        supervisor.stopping();
        if may_drain && !drain.is_zero() {
            tracing::info!(seconds = drain.as_secs(), "about to stop: /readyz says no, everything else goes on");
            tokio::select! {
                () = tokio::time::sleep(drain) => {}
                () = pulse.watch(&ingest, &read, &supervisor) => {}
            }
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

/// Says once where the server is, what it keeps and who can reach it; gives the first of that.
fn announce(listener: &TcpListener, config: &Config) -> String {
    let address = listener.local_addr();
    let reach = match &address {
        Ok(address) if address.ip().is_loopback() => "this machine only",
        Ok(_) | Err(_) if config.access.secret.is_some() => "every machine that reaches this address, with the secret",
        Ok(_) | Err(_) => "every machine that reaches this address, without a secret",
    };
    let address = address.map_or_else(|_| "an unknown address".to_owned(), |address| address.to_string());
    let scheme = if config.connections.tls.is_some() { "https" } else { "http" };
    let status = format!("listening on {scheme}://{address}");
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        database = %config.database.display(),
        retention_hours = config.retention_hours(),
        durability = ?config.durability,
        reachable_by = reach,
        "{status}"
    );
    if config::is_temporary(&config.database) {
        tracing::warn!(database = %config.database.display(), "files there do not last; --db names a better place");
    }
    status
}
