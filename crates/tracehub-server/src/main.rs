//! The binary `tracehub-server`: arguments, log, listener, signals, exit code.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tracehub_core::store::sqlite::{BackupError, backup};
use tracehub_server::args::{Args, Command};
use tracehub_server::config::{self, ConfigError};
use tracehub_server::healthcheck::{self, HealthcheckError};
use tracehub_server::{RunError, run, telemetry};

/// "File size limit exceeded": the same number on every Unix this runs on.
const SIGXFSZ: i32 = 25;

#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Healthcheck(#[from] HealthcheckError),
}

#[actix_web::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(err) = telemetry::init(&args.log, args.log_format) {
        telemetry::complain(&err, args.log_format);
        return ExitCode::from(2);
    }
    let outcome = match &args.command {
        None => start(&args).await,
        Some(Command::Backup { destination }) => back_up(&args.db, destination),
        Some(Command::Healthcheck { url }) => healthcheck::check(&args, url.as_deref()).map_err(StartError::from),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            telemetry::complain(&err, args.log_format);
            exit_code(&err)
        }
    }
}

fn back_up(database: &Path, destination: &Path) -> Result<(), StartError> {
    let bytes = backup(database, destination)?;
    tracing::info!(bytes, destination = %destination.display(), "the backup is whole");
    Ok(())
}

async fn start(args: &Args) -> Result<(), StartError> {
    let (address, config) = config::resolve(args)?;
    let listener = TcpListener::bind(address).map_err(|err| StartError::Listen(address, err))?;
    // A file that reaches the limit of the user's shell (ulimit -f) is a write that fails, not the end of the process.
    let _file_size = signal(SignalKind::from_raw(SIGXFSZ)).map_err(StartError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(run(listener, config, shutdown).await?)
}

/// The codes of `sysexits.h` where one fits, so that a supervisor can tell what restarting would help.
fn exit_code(err: &StartError) -> ExitCode {
    use tracehub_core::store::sqlite::OpenError;
    ExitCode::from(match err {
        StartError::Config(ConfigError::Exposed(_)) => 78,
        StartError::Config(_) | StartError::Healthcheck(HealthcheckError::Url { .. } | HealthcheckError::Config(_)) => {
            2
        }
        StartError::Listen(..) | StartError::Run(RunError::Disk(_)) => 74,
        StartError::Run(RunError::Open(OpenError::Foreign { .. } | OpenError::Corrupt { .. })) => 65,
        StartError::Run(RunError::Open(OpenError::InUse { .. } | OpenError::MigrationBlocked { .. })) => 75,
        StartError::Run(RunError::Open(
            OpenError::SymbolicLink { .. }
            | OpenError::Folder { .. }
            | OpenError::File { .. }
            | OpenError::MigrationRoom { .. },
        ))
        | StartError::Backup(BackupError::Exists(_) | BackupError::Write { .. }) => 73,
        StartError::Backup(_) | StartError::Run(_) | StartError::Signals(_) | StartError::Healthcheck(_) => 1,
    })
}
