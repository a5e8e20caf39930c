//! The one writer: takes what waits, commits it once, answers every request, tells the live streams.
//!
//! It runs on a thread of its own because it blocks on the disk. A group is whatever waits when the writer is free, so
//! a lone request is never delayed and a busy queue is committed in large steps.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use tokio::sync::oneshot;
use tracehub_core::store::{Receipt, StoreError, StoreWriter};
use tracehub_core::wire::ingest::{IngestAnswer, IngestBatch};

use crate::clock::{Clock, Reading};
use crate::condition::Condition;
use crate::config::Config;
use crate::error::ApiError;
use crate::ingest::room::Room;
use crate::ingest::{Command, Reply};
use crate::live::frame::Committed;
use crate::live::hub::Hub;
use crate::metrics::commits::Commits;
use crate::recovery::{LOOK_AGAIN, Recovery};
use crate::upkeep::Upkeep;

/// The most rows in a group. Beyond 5,000 a transaction gains nothing and the first waiter waits longer.
const MAX_GROUP_ROWS: usize = 5_000;
/// The longest that a batch may wait for its turn. Clients wait five seconds for an answer: to store it after that is work
/// that they ask for again.
const MAX_WAIT: Duration = Duration::from_secs(4);

/// A writer at work.
#[derive(Debug)]
pub(crate) struct WriterThread {
    /// Gives why the writer could not go on, if it could not.
    pub(crate) thread: JoinHandle<Result<(), StoreError>>,
    /// Closed when the writer has ended.
    pub(crate) ended: oneshot::Receiver<()>,
}

/// Starts the writer's thread. It ends after [`Command::Stop`], when no sender is left, or when the disk cannot be trusted.
pub(crate) fn spawn(
    store: Box<dyn StoreWriter>,
    commands: Receiver<Command>,
    hub: Arc<Hub>,
    condition: Arc<Condition>,
    commits: Arc<Commits>,
    config: &Config,
) -> io::Result<WriterThread> {
    let upkeep = Upkeep::new(config, Arc::clone(&commits));
    let (alive, ended) = oneshot::channel();
    let thread = std::thread::Builder::new().name("tracehub-writer".to_owned()).spawn(move || {
        let _guard = AbortOnPanic;
        let (recovery, clock, late) = (Recovery::new(condition), Clock::start(), commands.clone());
        let outcome = Writer { store, commands, hub, recovery, commits, upkeep, clock, stopping: false }.run();
        refuse_late(late);
        drop(alive);
        outcome
    })?;
    Ok(WriterThread { thread, ended })
}

/// Refuses those who come after the writer has ended, until nobody is left to come. The channel itself would keep what they
/// send, and they would wait for an answer.
fn refuse_late(commands: Receiver<Command>) {
    // A command that is dropped tells whoever waits for it that the server is stopping.
    let refusals =
        std::thread::Builder::new().name("tracehub-late".to_owned()).spawn(move || commands.iter().for_each(drop));
    if let Err(err) = refusals {
        tracing::warn!(error = %err, "who comes late is not told; their connections end with the server");
    }
}

/// A server that cannot write must not look alive: a panic here ends the process.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the writer thread panicked; the process ends, nothing acknowledged is lost");
            std::process::abort();
        }
    }
}

struct Writer {
    store: Box<dyn StoreWriter>,
    commands: Receiver<Command>,
    hub: Arc<Hub>,
    recovery: Recovery,
    commits: Arc<Commits>,
    upkeep: Upkeep,
    clock: Clock,
    stopping: bool,
}

/// Batches that are committed together.
#[derive(Default)]
struct Group {
    batches: Vec<IngestBatch>,
    replies: Vec<Reply<IngestAnswer>>,
    /// That of all batches.
    room: Option<Room>,
    rows: usize,
}

impl Group {
    /// Gives its room back, and then says to each why it is not stored.
    fn refuse(self, error: impl Fn() -> ApiError) {
        drop(self.room);
        for reply in self.replies {
            let _ = reply.send(Err(error()));
        }
    }
}

impl Writer {
    fn run(mut self) -> Result<(), StoreError> {
        // What arrived by a clock that was ahead.
        if let Err(err) = self.store.adjust_arrivals(0, self.clock.last()) {
            self.failed(&err);
        }
        loop {
            let Ok(first) = self.next() else { return Ok(()) };
            let began = Instant::now();
            let group = self.collect(first);
            // Those whose entries may be tried find out by themselves what the store takes.
            let may_look = group.batches.is_empty() || self.recovery.refusal().is_some();
            if may_look && self.upkeep.obstacle(&*self.store).is_none() {
                let outcome = self.recovery.look(&mut *self.store);
                if outcome.is_err() {
                    group.refuse(|| ApiError::Storage);
                    self.upkeep.give_up(|| ApiError::Storage);
                    return outcome;
                }
            }
            let rows = group.rows;
            let totals = group.room.as_ref().map(Room::totals);
            self.commit(group);
            self.go_on_with_upkeep(rows);
            if let Some(totals) = totals {
                totals.keep_pace(rows, began.elapsed());
            }
            self.settle();
            if self.stopping {
                self.finish();
                return Ok(());
            }
        }
    }

    /// What to do next; nothing when there is time for upkeep, or to look whether trouble is over. An error: nobody is left
    /// to ask for anything.
    fn next(&self) -> Result<Option<Command>, RecvTimeoutError> {
        let is_refusing = self.recovery.refusal().is_some();
        // With upkeep under way the writer does not sleep: it goes on while nobody waits.
        let outcome = if self.upkeep.is_under_way() && !is_refusing {
            return Ok(self.commands.try_recv().ok());
        } else if self.recovery.is_in_trouble() {
            self.commands.recv_timeout(LOOK_AGAIN)
        } else {
            self.commands.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        match outcome {
            Ok(command) => Ok(Some(command)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(err) => Err(err),
        }
    }

    /// The time, in Unix seconds. If the clock was set, what is stored is moved with it, so that nothing grows older by that;
    /// as long as it cannot be, time goes on from before.
    fn now(&mut self) -> i64 {
        let (seconds, time, after) = match self.clock.read() {
            Reading::Time(time) => return time,
            Reading::Jump { seconds, time, after } => (seconds, time, after),
        };
        if let Err(err) = self.store.adjust_arrivals(seconds, time.saturating_add(seconds)) {
            self.failed(&err);
            return time;
        }
        tracing::warn!(
            seconds,
            "the system's clock was set; the times of arrival of what is stored were moved with it"
        );
        self.clock.follow(after)
    }

    /// A step of upkeep, unless the store lets nothing be changed.
    fn go_on_with_upkeep(&mut self, rows: usize) {
        if self.recovery.refusal().is_none() {
            let now = self.now();
            if let Err(err) = self.upkeep.step(&mut *self.store, rows, now) {
                self.failed(&err);
            }
        }
        if let Some(refusal) = self.recovery.refusal() {
            self.upkeep.give_up(refusal);
        }
    }

    /// No work that entries wait for, so it is no measure of the pace.
    fn settle(&mut self) {
        if self.recovery.refusal().is_none()
            && let Err(err) = self.upkeep.settle(&mut *self.store)
        {
            self.failed(&err);
        }
    }

    /// The last thing: the store in order, so that the next start is quick.
    fn finish(&mut self) {
        if self.recovery.refusal().is_some() {
            tracing::warn!("the store takes nothing and was not put in order; the next start does it");
        } else if let Err(err) = self.store.finish() {
            let cause = std::error::Error::source(&err).map(ToString::to_string).unwrap_or_default();
            tracing::warn!(error = %err, cause, "the store was not put in order; the next start does it");
        }
    }

    /// Everything that waits now, up to a group's size.
    fn collect(&mut self, first: Option<Command>) -> Group {
        let mut group = Group::default();
        let mut next = first;
        while let Some(command) = next {
            match command {
                Command::Ingest(waiting) if waiting.since.elapsed() > MAX_WAIT => {
                    waiting.refuse(ApiError::Overloaded);
                }
                Command::Ingest(waiting) => {
                    let (batch, reply, room) = waiting.into_parts();
                    group.rows += batch.len();
                    group.batches.push(batch);
                    group.replies.push(reply);
                    match &mut group.room {
                        Some(all) => all.absorb(room),
                        none => *none = Some(room),
                    }
                }
                Command::Cleanup(reply) => self.upkeep.clean_up(reply),
                Command::Look(reply) => {
                    self.look_for_room();
                    let _ = reply.send(Ok(()));
                }
                Command::Stop => {
                    self.stopping = true;
                    break;
                }
            }
            next = if group.rows < MAX_GROUP_ROWS { self.commands.try_recv().ok() } else { None };
        }
        group
    }

    fn commit(&mut self, group: Group) {
        if group.batches.is_empty() {
            return;
        }
        if let Some(refusal) = self.recovery.refusal() {
            group.refuse(refusal);
            return;
        }
        if let Some(trouble) = self.upkeep.obstacle(&*self.store) {
            self.recovery.is_in(trouble);
            group.refuse(self.recovery.refusal().unwrap_or(|| ApiError::StorageFull));
            return;
        }
        let now = self.now();
        let Group { batches, replies, room, .. } = group;
        let outcome = self.ingest(&batches, now);
        // Whoever has the answer may send as much again, however long it takes to pass the entries on. Batches that are tried
        // alone are no more than a group, and so are not counted while they wait for that.
        drop(room);
        match outcome {
            Ok(receipts) => {
                self.recovery.is_well();
                self.hub.advance(&receipts);
                for (reply, receipt) in replies.into_iter().zip(&receipts) {
                    // A client that has gone away cannot be told; its entries are stored all the same.
                    let _ = reply.send(Ok(answer(receipt)));
                }
                self.hub.publish(&Committed { batches, receipts });
            }
            Err(err @ StoreError::Ingest(_)) if batches.len() > 1 => {
                tracing::warn!(error = %err, batches = batches.len(), "a group failed; its batches are tried alone");
                for (batch, reply) in batches.into_iter().zip(replies) {
                    self.commit_alone(batch, reply, now);
                }
            }
            // What is not a batch's own fault would meet each of them alone as well.
            Err(err) => {
                let error = ApiError::from(&err);
                // Before anybody is told, so that whoever then asks how the server is hears of it.
                self.failed(&err);
                Group { replies, ..Group::default() }.refuse(|| error.clone());
            }
        }
    }

    /// One batch that must not suffer for the others of its group.
    fn commit_alone(&mut self, batch: IngestBatch, reply: Reply<IngestAnswer>, now: i64) {
        if let Some(refusal) = self.recovery.refusal() {
            let _ = reply.send(Err(refusal()));
            return;
        }
        let batches = vec![batch];
        match self.ingest(&batches, now) {
            Ok(receipts) => {
                self.recovery.is_well();
                self.hub.advance(&receipts);
                let _ = reply.send(receipts.first().map(answer).ok_or(ApiError::Internal));
                self.hub.publish(&Committed { batches, receipts });
            }
            Err(err) => {
                self.failed(&err);
                let _ = reply.send(Err(ApiError::from(&err)));
            }
        }
    }

    /// One transaction, counted and timed.
    fn ingest(&mut self, batches: &[IngestBatch], now: i64) -> Result<Vec<Receipt>, StoreError> {
        let started = Instant::now();
        let outcome = self.store.ingest(batches, now);
        if outcome.is_ok() {
            let entries = batches.iter().map(IngestBatch::len).sum();
            self.commits.count(batches.len(), entries, started.elapsed());
        } else {
            self.commits.failed.add(1);
        }
        outcome
    }

    /// Asked for by the server's pulse: whether others have filled the disk, before entries are refused for it.
    fn look_for_room(&mut self) {
        if let Some(trouble) = self.upkeep.obstacle(&*self.store) {
            self.recovery.is_in(trouble);
        }
    }

    fn failed(&mut self, err: &StoreError) {
        match err {
            // A batch's own fault says nothing of the store.
            StoreError::Ingest(_) => {}
            StoreError::Busy(_) => {
                self.recovery.failed(err);
                self.refuse_waiting();
            }
            _ => self.recovery.failed(err),
        }
    }

    /// Refuses those who came while the store was held: they have waited as long as one does.
    fn refuse_waiting(&mut self) {
        let most = self.commands.len();
        let waiting = self.commands.clone();
        for command in waiting.try_iter().take(most) {
            match command {
                Command::Ingest(waiting) => waiting.refuse(ApiError::StorageBusy),
                Command::Cleanup(reply) => self.upkeep.clean_up(reply),
                Command::Look(reply) => {
                    let _ = reply.send(Ok(()));
                }
                Command::Stop => self.stopping = true,
            }
        }
    }
}

fn answer(receipt: &Receipt) -> IngestAnswer {
    let (inserted, duplicates) = (receipt.inserted(), receipt.duplicates());
    IngestAnswer { accepted: inserted + duplicates, inserted, duplicates }
}

#[cfg(test)]
mod tests;
