//! The worker between queue and server when there is a spool: one hand puts on disk what comes, the other sends from
//! there. They take turns on one thread and do not wait for each other.

use std::cell::RefCell;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Event, Spool};
use crate::batch::Batch;
use crate::complaint::{Complaints, Problem};
use crate::delivery::{Delivery, Ended, Owner};
use crate::stats::DropReason;
use crate::transport::Transport;
use crate::worker::{IDLE_BEFORE_REST, Intake, NAP, Shared};

/// How long until a write that failed is tried again.
const WRITE_RETRY: Duration = Duration::from_millis(200);

/// What both hands know.
struct Desk<'a> {
    shared: &'a Shared,
    spool: &'a RefCell<Spool>,
    complaints: &'a RefCell<Complaints>,
    /// Entries that the disk does not take: sent from memory, once nothing older is left.
    stranded: RefCell<Option<Batch>>,
    /// Something has come.
    arrival: Notify,
}

/// Works until the client is closed and everything is delivered or dropped, or on disk beside a server that cannot be
/// reached.
pub(crate) async fn work<T: Transport>(intake: Intake<'_>, delivery: Delivery<'_, T>, spool: &RefCell<Spool>) {
    let desk = Desk {
        shared: intake.shared,
        spool,
        complaints: intake.complaints,
        stranded: RefCell::new(None),
        arrival: Notify::new(),
    };
    desk.shared.counters.recovered(spool.borrow().waiting_of_earlier());
    let (trigger, interval) = (intake.limits.trigger as u64, intake.limits.interval);
    tokio::join!(take_in(&desk, intake), send_out(&desk, delivery, trigger, interval));
}

/// From the queue to the disk, until the client is closed and the queue is empty.
async fn take_in(desk: &Desk<'_>, mut intake: Intake<'_>) {
    let queue = &desk.shared.queue;
    let mut last_busy = Instant::now();
    loop {
        let mut batch = Batch::default();
        intake.fill(&mut batch);
        if !batch.is_empty() {
            last_busy = Instant::now();
            let is_full = intake.limits.is_full(&batch);
            desk.store(batch).await;
            desk.arrival.notify_one();
            if is_full {
                // Lets the other hand work between two full batches.
                tokio::task::yield_now().await;
                continue;
            }
        }
        if desk.shared.is_urgent() {
            desk.arrival.notify_one();
        }
        if queue.is_done() {
            return;
        } else if last_busy.elapsed() < IDLE_BEFORE_REST {
            queue.nap(NAP).await;
        } else {
            queue.rest().await;
        }
    }
}

/// From the disk to the server, until the client is closed and nothing is left, or the server cannot be reached.
async fn send_out<T: Transport>(desk: &Desk<'_>, mut delivery: Delivery<'_, T>, trigger: u64, interval: Duration) {
    let mut oldest = Instant::now();
    loop {
        let (waiting, earlier) = {
            let spool = desk.spool.borrow();
            (spool.waiting(), spool.waiting_of_earlier())
        };
        let is_stranded = desk.stranded.borrow().is_some();
        if waiting == 0 && !is_stranded {
            if desk.shared.queue.is_done() {
                return;
            }
            tokio::select! {
                () = desk.arrival.notified() => {}
                () = desk.shared.closed(), if !desk.shared.queue.is_closed() => {}
            }
            oldest = Instant::now();
            continue;
        }
        let age = oldest.elapsed();
        if waiting < trigger && earlier == 0 && !is_stranded && !desk.shared.is_urgent() && age < interval {
            let _ = tokio::time::timeout(interval.saturating_sub(age), desk.arrival.notified()).await;
            continue;
        }
        let next = desk.next();
        let ended = if let Some(next) = next {
            let ended = delivery.deliver(&next.batch, next.owner).await;
            if ended == Ended::Settled {
                let finished = desk.spool.borrow_mut().finish();
                desk.complain(finished.err());
            }
            ended
        } else {
            let Some(batch) = desk.stranded.take() else { continue };
            delivery.deliver(&batch, Owner::Queue).await
        };
        if matches!(ended, Ended::Kept(_)) {
            return;
        }
        oldest = Instant::now();
    }
}

impl Desk<'_> {
    /// Puts a batch on disk; while the disk does not take it, leaves it where it can be sent from.
    async fn store(&self, batch: Batch) {
        let mut batch = batch;
        loop {
            let mut events = Vec::new();
            let appended = self.spool.borrow_mut().append(&batch, &mut events);
            self.note(events);
            let Err(err) = appended else { break };
            self.complain(Some(err));
            *self.stranded.borrow_mut() = Some(batch);
            self.arrival.notify_one();
            tokio::time::sleep(WRITE_RETRY).await;
            match self.stranded.take() {
                Some(back) => batch = back,
                // It was sent, or is being sent.
                None => return,
            }
        }
        let entries = batch.len() as u64;
        self.shared.counters.spooled(entries);
        self.shared.queue.release(entries, batch.cost(0..batch.len()));
    }

    fn next(&self) -> Option<super::Next> {
        let mut events = Vec::new();
        let next = self.spool.borrow_mut().next(&mut events);
        self.note(events);
        next
    }

    /// Counts what happened to entries on disk.
    fn note(&self, events: Vec<Event>) {
        for event in events {
            let (owner, reason, entries) = match event {
                Event::Evicted { owner, entries } => {
                    let full = || "the spool is full, its oldest entries were dropped".to_owned();
                    self.complaints.borrow_mut().complain(Problem::Dropped, entries, full);
                    (owner, DropReason::Evicted, entries)
                }
                Event::Damaged { owner, entries, reason } => {
                    self.shared.counters.corrupt_segment();
                    let set_aside = || format!("a segment was set aside: {reason}");
                    self.complaints.borrow_mut().complain(Problem::Spool, entries, set_aside);
                    (owner, DropReason::Damaged, entries)
                }
            };
            self.shared.counters.dropped(owner, reason, entries);
            if owner == Owner::Spool {
                self.shared.progress.advance(entries);
            }
        }
    }

    fn complain(&self, problem: Option<std::io::Error>) {
        if let Some(err) = problem {
            self.complaints.borrow_mut().complain(Problem::Spool, 0, || err.to_string());
        }
    }
}
