//! The server's pulse: once a second the writer is asked for a sign of life and the database for an entry. What came of it
//! is what `/readyz` says, and what keeps the supervisor's watchdog quiet.
//!
//! Looking regularly rather than when asked has two reasons: whoever asks needs no secret and must not be able to keep the
//! writer busy by asking, and a watchdog wants to be told without being asked.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};
use tracehub_core::wire::health::{Check, ReadyChecks};

use crate::condition::{Condition, Trouble};
use crate::error::ApiError;
use crate::ingest::Ingest;
use crate::notify::Supervisor;

/// How often is looked. A supervisor that is less patient is told more often.
const EVERY: Duration = Duration::from_secs(1);
/// How long an answer may take. A commit of the largest group takes a fraction of it, also on a slow disk.
const PATIENCE: Duration = Duration::from_secs(3);

/// What was found at the last look.
#[derive(Debug)]
pub(crate) struct Pulse {
    patience: Duration,
    stopping: AtomicBool,
    writer_is_silent: AtomicBool,
    database: AtomicU8,
}

/// How the database answered, as a number that fits into an atomic.
const DATABASE: [Check; 3] = [Check::Ok, Check::Silent, Check::Failing];

impl Default for Pulse {
    fn default() -> Self {
        Self {
            patience: PATIENCE,
            stopping: AtomicBool::new(false),
            writer_is_silent: AtomicBool::new(false),
            database: AtomicU8::new(0),
        }
    }
}

impl Pulse {
    /// Looks, again and again, until the future is dropped. `read` reads something of the database.
    pub(crate) async fn watch(
        &self,
        ingest: &Ingest,
        read: impl AsyncFn() -> Result<(), ApiError>,
        supervisor: &Supervisor,
    ) {
        let mut ticks = interval(supervisor.patience().map_or(EVERY, |patience| EVERY.min(patience / 3)));
        // After a pause of the whole machine there is nothing to make up for.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let (writer, database) =
                tokio::join!(timeout(self.patience, ingest.look()), timeout(self.patience, read()));
            // A queue that is full is a trouble of its own; it says nothing of the writer.
            let is_silent = !matches!(writer, Ok(Ok(()) | Err(ApiError::Overloaded)));
            self.hear_writer(is_silent);
            self.hear_database(match database {
                Ok(Ok(())) => Check::Ok,
                Ok(Err(_)) => Check::Failing,
                Err(_) => Check::Silent,
            });
            if !is_silent {
                supervisor.alive();
            }
        }
    }

    fn hear_writer(&self, is_silent: bool) {
        let was_silent = self.writer_is_silent.swap(is_silent, Ordering::Relaxed);
        match (was_silent, is_silent) {
            (false, true) => tracing::error!(seconds = self.patience.as_secs_f64(), "the writer gives no sign of life"),
            (true, false) => tracing::info!("the writer gives signs of life again"),
            _ => {}
        }
    }

    fn hear_database(&self, check: Check) {
        let place = DATABASE.iter().position(|known| *known == check).unwrap_or_default();
        let before = self.database.swap(u8::try_from(place).unwrap_or_default(), Ordering::Relaxed);
        match (before, place) {
            (0, 1..) => tracing::error!(?check, "the database cannot be read"),
            (1.., 0) => tracing::info!("the database can be read again"),
            _ => {}
        }
    }

    /// From now on the server is not ready, whatever else is well.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the writer owes an answer for too long.
    pub(crate) fn writer_is_silent(&self) -> bool {
        self.writer_is_silent.load(Ordering::Relaxed)
    }

    /// Each thing that the server needs for its work.
    pub(crate) fn checks(&self, condition: &Condition, ingest: &Ingest) -> ReadyChecks {
        let bad = |is_bad: bool, check: Check| if is_bad { check } else { Check::Ok };
        let trouble = condition.trouble();
        ReadyChecks {
            server: bad(self.stopping.load(Ordering::Relaxed), Check::Stopping),
            writer: match trouble {
                _ if self.writer_is_silent() => Check::Silent,
                Some(Trouble::StorageBusy) => Check::Busy,
                Some(Trouble::StorageFailing) => Check::Failing,
                Some(Trouble::StorageFull | Trouble::ReadOnlyStorage) | None => Check::Ok,
            },
            queue: bad(ingest.is_nearly_full(), Check::Full),
            disk: match trouble {
                Some(Trouble::StorageFull) => Check::Full,
                Some(Trouble::ReadOnlyStorage) => Check::ReadOnly,
                _ => Check::Ok,
            },
            database: DATABASE[usize::from(self.database.load(Ordering::Relaxed)).min(DATABASE.len() - 1)],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::ingest::Command;

    #[tokio::test]
    async fn a_writer_that_answers_nothing_is_noticed_and_one_that_answers_again_too() {
        let (ingest, commands) = Ingest::new();
        let pulse = Pulse { patience: Duration::from_millis(100), ..Pulse::default() };
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_nonblocking(true).unwrap();
        let was_told = || socket.recv(&mut [0; 64]).is_ok();
        let supervisor = Supervisor::at(folder.path().join("notify").as_os_str(), Some(EVERY * 9)).unwrap();
        let condition = Condition::default();
        let look = async |read: Result<(), ApiError>| {
            // One look is over well before the next is due.
            let read = async || read.as_ref().copied().map_err(|_| ApiError::Storage);
            let _ = timeout(EVERY * 3 / 4, pulse.watch(&ingest, read, &supervisor)).await;
            pulse.checks(&condition, &ingest)
        };
        let checks = look(Err(ApiError::Storage)).await;
        assert_eq!((checks.server, checks.writer, checks.database), (Check::Ok, Check::Silent, Check::Failing));
        assert!(!was_told(), "the watchdog is not told that all is well");
        let writer = std::thread::spawn(move || {
            for command in commands {
                match command {
                    Command::Look(reply) => drop(reply.send(Ok(()))),
                    _ => return,
                }
            }
        });
        let checks = look(Ok(())).await;
        assert_eq!((checks.writer, checks.database), (Check::Ok, Check::Ok));
        assert!(was_told());
        ingest.stop();
        writer.join().unwrap();
        assert_eq!(look(Ok(())).await.writer, Check::Silent, "one that is gone");
        condition.is_in(Trouble::StorageFull);
        pulse.stop();
        let checks = pulse.checks(&condition, &ingest);
        assert_eq!((checks.server, checks.disk), (Check::Stopping, Check::Full));
    }
}
