//! The way to the writer: a queue bounded in requests, rows and bytes. Full, it refuses at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tokio::sync::oneshot;
use tracehub_core::wire::ingest::{IngestAnswer, IngestBatch};
use tracehub_core::wire::stats::{IngestStats, QueueStats};

use crate::error::ApiError;
use crate::metrics::kinds::ByCode;

/// The most commands that may wait.
pub(crate) const MAX_WAITING_COMMANDS: usize = 16_384;
/// The most entries that may wait, however fast they are stored.
const MAX_WAITING_ROWS: usize = 200_000;
/// So many may wait however slowly they are stored: a batch of the largest size.
const MIN_WAITING_ROWS: usize = 10_000;
/// How long what waits may take at the pace of the writer. Whoever is let in shall have the answer within a second;
/// whoever is not learns it at once.
const MAX_WAIT: Duration = Duration::from_millis(500);
/// Entries in a group from which on its pace is that of the writer. Of smaller ones it is that of those who send.
const TELLING_ROWS: usize = 2_000;
/// The most bytes that waiting batches may hold.
pub(crate) const MAX_WAITING_BYTES: usize = 64 << 20;

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

    /// Refuses while the queue is full: what would be refused anyway need not be parsed.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        let is_full = self.waiting.rows.load(Ordering::Relaxed) >= self.most_waiting_rows();
        if is_full { Err(ApiError::Overloaded) } else { Ok(()) }
    }

    /// Queues a batch and waits until it is stored.
    pub(crate) async fn store(&self, batch: IngestBatch) -> Result<IngestAnswer, ApiError> {
        if batch.is_empty() {
            return Ok(IngestAnswer { accepted: 0, inserted: 0, duplicates: 0 });
        }
        let room = Room::take(&self.waiting, batch.len(), batch.bytes()).ok_or(ApiError::Overloaded)?;
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
        QueueStats {
            entries: self.waiting.rows.load(Ordering::Relaxed) as u64,
            bytes: self.waiting.bytes.load(Ordering::Relaxed) as u64,
        }
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
        self.waiting.most_rows.load(Ordering::Relaxed)
    }

    /// Whether so much waits that requests are about to be refused.
    pub(crate) fn is_nearly_full(&self) -> bool {
        let nearly = |waiting: usize, most: usize| waiting >= most / 10 * 9;
        nearly(self.waiting.rows.load(Ordering::Relaxed), self.most_waiting_rows())
            || nearly(self.waiting.bytes.load(Ordering::Relaxed), MAX_WAITING_BYTES)
            || nearly(self.commands.len(), MAX_WAITING_COMMANDS)
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

/// What waits, in all.
#[derive(Debug)]
pub(crate) struct Totals {
    rows: AtomicUsize,
    bytes: AtomicUsize,
    /// The entries that may wait at the writer's present pace.
    most_rows: AtomicUsize,
}

impl Default for Totals {
    fn default() -> Self {
        Self { rows: AtomicUsize::new(0), bytes: AtomicUsize::new(0), most_rows: AtomicUsize::new(MAX_WAITING_ROWS) }
    }
}

impl Totals {
    /// Learns from a group how much may wait: on a slow disk less than on a fast one.
    pub(crate) fn keep_pace(&self, rows: usize, took: Duration) {
        if rows < TELLING_ROWS {
            return;
        }
        let fit = rows as u128 * MAX_WAIT.as_micros() / took.as_micros().max(1);
        let fit = usize::try_from(fit).unwrap_or(usize::MAX).min(MAX_WAITING_ROWS);
        let before = self.most_rows.load(Ordering::Relaxed);
        // One slow sync does not make a slow disk.
        let most = (before * 3 + fit) / 4;
        self.most_rows.store(most.max(MIN_WAITING_ROWS), Ordering::Relaxed);
    }
}

/// A batch's share of the queue; given back when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    totals: Arc<Totals>,
    rows: usize,
    bytes: usize,
}

impl Room {
    /// What it is a share of.
    pub(crate) fn totals(&self) -> Arc<Totals> {
        Arc::clone(&self.totals)
    }

    /// Takes room, unless that would be too much. One batch always fits into an empty queue.
    fn take(totals: &Arc<Totals>, rows: usize, bytes: usize) -> Option<Self> {
        let room = Self { totals: Arc::clone(totals), rows, bytes };
        let rows_before = totals.rows.fetch_add(rows, Ordering::Relaxed);
        let bytes_before = totals.bytes.fetch_add(bytes, Ordering::Relaxed);
        let most_rows = totals.most_rows.load(Ordering::Relaxed);
        let fits = rows_before == 0 || (rows_before + rows <= most_rows && bytes_before + bytes <= MAX_WAITING_BYTES);
        // Refused, `room` is dropped here and what was added goes again.
        fits.then_some(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.totals.rows.fetch_sub(self.rows, Ordering::Relaxed);
        self.totals.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_refuses_and_takes_again_when_there_is_room() {
        let totals = Arc::default();
        let first = Room::take(&totals, MAX_WAITING_ROWS + 5, 1).expect("an empty queue takes any batch");
        assert!(Room::take(&totals, 1, 1).is_none());
        drop(first);
        let many = Room::take(&totals, 10, MAX_WAITING_BYTES).expect("room for the bytes");
        assert!(Room::take(&totals, 1, 1).is_none());
        drop(many);
        assert!(Room::take(&totals, 1, 1).is_some());
    }

    #[test]
    fn less_may_wait_for_a_slow_writer() {
        let totals = Totals::default();
        let after = |rows: usize, milliseconds: u64| {
            (0..30).for_each(|_| totals.keep_pace(rows, Duration::from_millis(milliseconds)));
            totals.most_rows.load(Ordering::Relaxed)
        };
        assert_eq!(after(100, 60_000), MAX_WAITING_ROWS, "one small group after the other says nothing");
        let slow = after(5_000, 100);
        assert!((25_000..27_000).contains(&slow), "{slow}");
        assert_eq!(after(5_000, 5_000), MIN_WAITING_ROWS);
        assert!(after(5_000, 0) > MAX_WAITING_ROWS - 100);
    }
}
