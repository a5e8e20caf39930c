//! Opening the store: off the async threads, with a migration's progress on the log, given up when the server must stop.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::web;
use tracehub_core::store::sqlite::{
    self, MigrationProgress, MigrationReport, OpenError, OpenOptions, SqliteReader, SqliteWriter,
};

use crate::notify::Supervisor;
use crate::run::RunError;

/// How often the log says how far a migration is.
const LOG_EVERY: Duration = Duration::from_secs(1);
/// How long a supervisor waits for the next sign of a migration: its last step syncs the whole file.
const MOST_BETWEEN_SIGNS: Duration = Duration::from_mins(5);

/// Opens the store; none if `shutdown` completed first.
///
/// Only a migration takes long enough to be overtaken. It is broken off then, and the next start begins it again.
pub(crate) async fn open(
    options: OpenOptions,
    supervisor: Arc<Supervisor>,
    shutdown: impl Future<Output = ()>,
) -> Result<Option<(SqliteWriter, SqliteReader)>, RunError> {
    let stopping = Arc::new(AtomicBool::new(false));
    let mut opening = {
        let stopping = Arc::clone(&stopping);
        Box::pin(web::block(move || {
            let mut log = MigrationLog::new(&options, supervisor);
            sqlite::open_with_progress(&options, &mut |progress| {
                log.say(progress);
                if stopping.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        }))
    };
    let outcome = tokio::select! {
        outcome = &mut opening => outcome,
        () = shutdown => {
            stopping.store(true, Ordering::Relaxed);
            // Waited for, so that nothing of it is left behind.
            return match opening.await {
                Ok(Ok(_) | Err(OpenError::MigrationStopped { .. })) => Ok(None),
                Ok(Err(err)) => Err(err.into()),
                Err(_) => Err(RunError::OpenPanicked),
            };
        }
    };
    let (store, reader) = outcome.map_err(|_| RunError::OpenPanicked)??;
    if let Some(damage) = store.log_damage() {
        tracing::error!(%damage, "a disk has damaged the database's log; a copy of it lies beside the database");
    }
    Ok(Some((store, reader)))
}

/// What the log says of a migration.
struct MigrationLog {
    database: String,
    last: Option<Instant>,
    supervisor: Arc<Supervisor>,
}

impl MigrationLog {
    fn new(options: &OpenOptions, supervisor: Arc<Supervisor>) -> Self {
        Self { database: options.path.display().to_string(), last: None, supervisor }
    }

    fn say(&mut self, progress: MigrationProgress) {
        match progress {
            MigrationProgress::Copying { rows_done, rows_total }
                if self.last.is_none_or(|last| last.elapsed() >= LOG_EVERY) =>
            {
                self.last = Some(Instant::now());
                // Whoever waits for the start must not take a long migration for one that hangs.
                let status = format!("migrating: {rows_done} of {rows_total} rows");
                self.supervisor.still_starting(&status, MOST_BETWEEN_SIGNS);
                tracing::info!(
                    rows_done,
                    rows_total,
                    database = self.database,
                    "migrating the database of the Python server 0.1.0"
                );
            }
            MigrationProgress::Done(report) => self.say_done(&report),
            _ => {}
        }
    }

    fn say_done(&self, report: &MigrationReport) {
        tracing::info!(
            entries = report.entries,
            database = self.database,
            "migrated; the Python server's file is kept as {}",
            report.backup.display()
        );
        if report.data_kept_as_text > 0 {
            tracing::warn!(
                entries = report.data_kept_as_text,
                "their data is no JSON that every reader can take; it was kept as {{\"migrated_text\": \"…\"}}"
            );
        }
        if let Some(set_aside) = &report.set_aside {
            tracing::warn!(
                rows = report.rows_set_aside,
                "these rows cannot be entries and were written to {}",
                set_aside.display()
            );
        }
    }
}
