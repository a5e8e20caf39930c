//! The way to the writer: a queue bounded in requests, rows and bytes. Full, it refuses at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tokio::sync::oneshot;
use tracehub_core::wire::ingest::{IngestAnswer, IngestBatch};
use tracehub_core::wire::stats::{IngestStats, QueueStats};

use self::room::{Room, Totals};
use crate::error::ApiError;
use crate::metrics::kinds::ByCode;

pub(crate) mod room;

/// The most commands that may wait.
pub(crate) const MAX_WAITING_COMMANDS: usize = 16_384;

/// The answer's way back to the request.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, ApiError>>;

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Store a batch and say what became of it.
    Ingest(Waiting),
    /// Delete what is older than the retention and say how many entries that were.
    Cleanup(Option<Reply<u64>>),
    /// Say that you are there, and look whether there is room.
    Look(Reply<()>),
    /// Finish what came before and end.
    Stop,
}

/// A batch in the queue. Dropping it makes room.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) batch: IngestBatch,
    pub(crate) reply: Reply<IngestAnswer>,
    /// Since when it waits.
    pub(crate) since: Instant,
    room: Room,
}

impl Waiting {
    /// Takes it apart: the batch, the way back, and the room that it takes until that is dropped.
    pub(crate) fn into_parts(self) -> (IngestBatch, Reply<IngestAnswer>, Room) {
        (self.batch, self.reply, self.room)
    }

    /// Gives its room back, and then says why it is not stored.
    pub(crate) fn refuse(self, error: ApiError) {
        let Self { reply, room, .. } = self;
        drop(room);
        let _ = reply.send(Err(error));
    }
}

/// The requests' end of the queue.
#[derive(Debug, Clone)]
pub(crate) struct Ingest {
    commands: Sender<Command>,
    waiting: Arc<Totals>,
    counters: Arc<Counters>,
}

impl Ingest {
    /// A new queue and the writer's end of it.
    pub(crate) fn new() -> (Self, Receiver<Command>) {
        let (commands, receiver) = bounded(MAX_WAITING_COMMANDS);
        (Self { commands, waiting: Arc::default(), counters: Arc::default() }, receiver)
    }

    /// Refuses a body of which nothing but its declared length is known: what would be refused anyway need not be kept.
    pub(crate) fn check(&self, declared_bytes: usize) -> Result<(), ApiError> {
        if self.waiting.has_room(declared_bytes) { Ok(()) } else { Err(ApiError::Overloaded) }
    }

    /// Takes room in the queue for a body of so many bytes, or refuses it: what would be refused anyway need not be
    /// parsed.
    pub(crate) fn admit(&self, body_bytes: usize) -> Result<Room, ApiError> {
        Room::take(&self.waiting, body_bytes).ok_or(ApiError::Overloaded)
    }

    /// Queues a batch in the room that its body was given, and waits until it is stored.
    pub(crate) async fn store(&self, batch: IngestBatch, mut room: Room) -> Result<IngestAnswer, ApiError> {
        if batch.is_empty() {
            return Ok(IngestAnswer { accepted: 0, inserted: 0, duplicates: 0 });
        }
        room.settle(batch.len(), batch.bytes());
        self.ask(|reply| Command::Ingest(Waiting { batch, reply, since: Instant::now(), room })).await
    }

    /// Carries out a request and counts what became of it.
    pub(crate) async fn counted(
        &self,
        request: impl Future<Output = Result<IngestAnswer, ApiError>>,
    ) -> Result<IngestAnswer, ApiError> {
        let outcome = request.await;
        match &outcome {
            Ok(answer) => {
                self.counters.inserted.fetch_add(answer.inserted, Ordering::Relaxed);
                self.counters.duplicates.fetch_add(answer.duplicates, Ordering::Relaxed);
            }
            Err(err) => {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                self.counters.refused_by_code.add(err.error_code());
            }
        }
        outcome
    }

    /// What became of requests so far.
    pub(crate) fn counts(&self) -> IngestStats {
        IngestStats {
            inserted: self.counters.inserted.load(Ordering::Relaxed),
            duplicates: self.counters.duplicates.load(Ordering::Relaxed),
            refused_requests: self.counters.refused.load(Ordering::Relaxed),
        }
    }

    /// How many requests were refused, by the code of the refusal.
    pub(crate) fn refused(&self) -> &ByCode {
        &self.counters.refused_by_code
    }

    /// What waits for the writer.
    pub(crate) fn waiting(&self) -> QueueStats {
        self.waiting.stats()
    }

    /// Deletes what is older than the retention; gives the number of entries.
    pub(crate) async fn clean_up(&self) -> Result<u64, ApiError> {
        self.ask(|reply| Command::Cleanup(Some(reply))).await
    }

    /// Commands that wait for the writer.
    pub(crate) fn waiting_commands(&self) -> usize {
        self.commands.len()
    }

    /// The entries that may wait at the writer's present pace.
    pub(crate) fn most_waiting_rows(&self) -> usize {
        self.waiting.most_rows()
    }

    /// Whether so much waits that requests are about to be refused.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.waiting.are_nearly_full() || self.commands.len() >= MAX_WAITING_COMMANDS / 10 * 9
    }

    /// Asks the writer for a sign of life.
    pub(crate) async fn look(&self) -> Result<(), ApiError> {
        self.ask(Command::Look).await
    }

    /// Asks for a clean-up that nobody waits for.
    pub(crate) fn clean_up_in_background(&self) {
        // When the queue is full the writer has better things to do; the next tick asks again.
        let _ = self.commands.try_send(Command::Cleanup(None));
    }

    /// Lets the writer end after everything that was queued before. Blocks while the queue is full.
    pub(crate) fn stop(&self) {
        // A writer that is gone has nothing left to finish.
        let _ = self.commands.send(Command::Stop);
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(command(reply)).map_err(|err| match err {
            TrySendError::Full(_) => ApiError::Overloaded,
            TrySendError::Disconnected(_) => ApiError::ShuttingDown,
        })?;
        answer.await.map_err(|_| ApiError::ShuttingDown)?
    }
}

/// What became of requests.
#[derive(Debug, Default)]
struct Counters {
    inserted: AtomicU64,
    duplicates: AtomicU64,
    refused: AtomicU64,
    refused_by_code: ByCode,
}
