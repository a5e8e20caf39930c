//! The one writer: takes what waits, commits it once, answers every request, tells the live streams.
//!
//! It runs on a thread of its own because it blocks on the disk. A group is whatever waits when the writer is free, so
//! a lone request is never delayed and a busy queue is committed in large steps.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use crossbeam_channel::Receiver;
use tracehub_core::store::{Receipt, StoreWriter};
use tracehub_core::wire::ingest::{IngestAnswer, IngestBatch};

use crate::error::ApiError;
use crate::ingest::{Command, Reply, Room};
use crate::live::hub::Hub;

/// The most rows in a group. Beyond 5,000 a transaction gains nothing and the first waiter waits longer.
const MAX_GROUP_ROWS: usize = 5_000;
/// Entries deleted between two groups. 500 leave ingest's slowest answers where they were.
const DELETED_PER_STEP: u32 = 500;

/// Starts the writer's thread. It ends after [`Command::Stop`], or when no sender is left.
pub(crate) fn spawn(
    store: Box<dyn StoreWriter>,
    commands: Receiver<Command>,
    hub: Arc<Hub>,
    retention: Duration,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("tracehub-writer".to_owned()).spawn(move || {
        let _guard = AbortOnPanic;
        Writer { store, commands, hub, retention, cleanup: None }.run();
    })
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
    retention: Duration,
    cleanup: Option<Cleanup>,
}

/// A clean-up under way.
#[derive(Default)]
struct Cleanup {
    deleted: u64,
    replies: Vec<Reply<u64>>,
}

/// Batches that are committed together.
#[derive(Default)]
struct Group {
    batches: Vec<IngestBatch>,
    replies: Vec<Reply<IngestAnswer>>,
    rooms: Vec<Room>,
    rows: usize,
}

impl Writer {
    fn run(mut self) {
        loop {
            // With a clean-up under way the writer does not sleep: it deletes while nobody waits.
            let first = if self.cleanup.is_some() {
                self.commands.try_recv().ok()
            } else {
                match self.commands.recv() {
                    Ok(command) => Some(command),
                    Err(_) => return,
                }
            };
            let (group, stop) = self.collect(first);
            self.commit(group);
            self.clean_up_step();
            if stop {
                self.finish();
                return;
            }
        }
    }

    /// The last thing: the store in order, so that the next start is quick.
    fn finish(&mut self) {
        if let Err(err) = self.store.finish() {
            let cause = std::error::Error::source(&err).map(ToString::to_string).unwrap_or_default();
            tracing::warn!(error = %err, cause, "the store was not put in order; the next start does it");
        }
    }

    /// Everything that waits now, up to a group's size.
    fn collect(&mut self, first: Option<Command>) -> (Group, bool) {
        let mut group = Group::default();
        let mut next = first;
        while let Some(command) = next {
            match command {
                Command::Ingest(waiting) => {
                    let (batch, reply, room) = waiting.into_parts();
                    group.rows += batch.len();
                    group.batches.push(batch);
                    group.replies.push(reply);
                    group.rooms.push(room);
                }
                Command::Cleanup(reply) => self.cleanup.get_or_insert_default().replies.extend(reply),
                Command::Stop => return (group, true),
            }
            next = if group.rows < MAX_GROUP_ROWS { self.commands.try_recv().ok() } else { None };
        }
        (group, false)
    }

    fn commit(&mut self, group: Group) {
        let Group { batches, replies, rooms, .. } = group;
        if batches.is_empty() {
            return;
        }
        let now = unix_seconds();
        match self.store.ingest(&batches, now) {
            Ok(receipts) => {
                for (reply, receipt) in replies.into_iter().zip(&receipts) {
                    // A client that has gone away cannot be told; its entries are stored all the same.
                    let _ = reply.send(Ok(answer(receipt)));
                }
                self.hub.publish(&batches, &receipts);
            }
            Err(err) if batches.len() == 1 => {
                for reply in replies {
                    let _ = reply.send(Err(ApiError::from(&err)));
                }
            }
            Err(err) => {
                tracing::warn!(error = %err, batches = batches.len(), "a group failed; its batches are tried alone");
                for (batch, reply) in batches.into_iter().zip(replies) {
                    self.commit_alone(batch, reply, now);
                }
            }
        }
        drop(rooms);
    }

    /// One batch that must not suffer for the others of its group.
    fn commit_alone(&mut self, batch: IngestBatch, reply: Reply<IngestAnswer>, now: i64) {
        let batch = [batch];
        match self.store.ingest(&batch, now) {
            Ok(receipts) => {
                let _ = reply.send(receipts.first().map(answer).ok_or(ApiError::Internal));
                self.hub.publish(&batch, &receipts);
            }
            Err(err) => {
                let _ = reply.send(Err(ApiError::from(&err)));
            }
        }
    }

    /// Deletes a few old entries, if that was asked for.
    fn clean_up_step(&mut self) {
        let Some(cleanup) = &mut self.cleanup else { return };
        let retention = i64::try_from(self.retention.as_secs()).unwrap_or(i64::MAX);
        let cutoff = unix_seconds().saturating_sub(retention);
        let outcome = match self.store.delete_arrived_before(cutoff, DELETED_PER_STEP) {
            Ok(step) => {
                cleanup.deleted += step.entries;
                if step.more {
                    return;
                }
                Ok(cleanup.deleted)
            }
            Err(err) => Err(err),
        };
        let replies = std::mem::take(&mut cleanup.replies);
        self.cleanup = None;
        if let Ok(deleted @ 1..) = outcome {
            tracing::info!(deleted, "deleted entries older than the retention");
        }
        for reply in replies {
            let _ = reply.send(outcome.as_ref().copied().map_err(ApiError::from));
        }
    }
}

fn answer(receipt: &Receipt) -> IngestAnswer {
    let (inserted, duplicates) = (receipt.inserted(), receipt.duplicates());
    IngestAnswer { accepted: inserted + duplicates, inserted, duplicates }
}

/// Unix time in seconds; 0 on a clock before 1970.
fn unix_seconds() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
}
