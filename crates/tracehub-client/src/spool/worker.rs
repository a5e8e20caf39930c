//! The worker between queue and server when there is a spool: one hand puts on disk what comes, the other sends from
//! there. They take turns on one thread and do not wait for each other.

use std::cell::{Cell, RefCell};
use std::io;
use std::mem;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Event, Next, Spool};
use crate::batch::{Batch, Limits};
use crate::complaint::{Complaints, Problem};
use crate::delivery::{Delivery, Ended, Owner};
use crate::stats::DropReason;
use crate::transport::Transport;
use crate::worker::{IDLE_BEFORE_REST, Intake, NAP, Shared};

/// How long until what the disk did not take or give is tried again.
const DISK_RETRY: Duration = Duration::from_millis(200);

/// What both hands know.
struct Desk<'a> {
    shared: &'a Shared,
    spool: RefCell<Spool>,
    complaints: &'a RefCell<Complaints>,
    stranded: RefCell<Stranded>,
    /// What was stranded is sent, or came back.
    landed: Notify,
    /// Something has come.
    arrival: Notify,
    /// Older entries than those on disk are on their way.
    is_sending: Cell<bool>,
    /// How many entries ended before older ones that are on their way.
    ended_early: Cell<u64>,
}

/// Entries that the disk does not take: sent from memory, once nothing older is left. Nothing newer is taken meanwhile.
#[derive(Default)]
enum Stranded {
    #[default]
    Nothing,
    /// Whichever hand is free may take them.
    Waiting(Batch),
    /// They are on their way to the server.
    Sending,
    /// The server cannot be reached, so it is the disk's turn.
    Back(Batch),
}

/// Works until the client is closed and everything is delivered or dropped, or on disk beside a server that cannot be
/// reached; or until the deadline.
pub(crate) async fn work<T: Transport>(
    mut intake: Intake<'_>,
    delivery: Delivery<'_, T>,
    spool: Spool,
    deadline: impl Future<Output = ()>,
) {
    let desk = Desk {
        shared: intake.shared,
        spool: RefCell::new(spool),
        complaints: intake.complaints,
        stranded: RefCell::default(),
        landed: Notify::new(),
        arrival: Notify::new(),
        is_sending: Cell::new(false),
        ended_early: Cell::new(0),
    };
    let limits = intake.limits;
    // Dropped at the deadline with the request that is on its way: it holds for hanging servers, too.
    tokio::select! {
        _ = async { tokio::join!(take_in(&desk, &mut intake), send_out(&desk, delivery, limits)) } => {}
        () = deadline => desk.rescue(&mut intake),
    }
    desk.spool.into_inner().close();
}

/// From the queue to the disk, until the client is closed and the queue is empty.
async fn take_in(desk: &Desk<'_>, intake: &mut Intake<'_>) {
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
async fn send_out<T: Transport>(desk: &Desk<'_>, mut delivery: Delivery<'_, T>, limits: Limits) {
    let mut oldest = Instant::now();
    loop {
        desk.take_over();
        let is_stranded = matches!(*desk.stranded.borrow(), Stranded::Waiting(_));
        if desk.spool.borrow().is_empty() && !is_stranded {
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
        if !is_stranded && !desk.shared.is_urgent() && desk.has_few(&limits) && age < limits.interval {
            let _ = tokio::time::timeout(limits.interval.saturating_sub(age), desk.arrival.notified()).await;
            continue;
        }
        desk.is_sending.set(true);
        let may_go_on = match desk.next() {
            Ok(Some(next)) => desk.send(&mut delivery, &next).await,
            Ok(None) => {
                desk.send_stranded(&mut delivery).await;
                true
            }
            Err(err) => {
                desk.complain(&err);
                tokio::time::sleep(DISK_RETRY).await;
                true
            }
        };
        if !may_go_on {
            return;
        }
        desk.is_sending.set(false);
        desk.shared.progress.advance(desk.ended_early.take());
        oldest = Instant::now();
    }
}

impl Desk<'_> {
    /// Puts a batch on disk; while the disk does not take it, leaves it where it can be sent from.
    async fn store(&self, mut batch: Batch) {
        while let Err(err) = self.put(&batch) {
            self.complain(&err);
            *self.stranded.borrow_mut() = Stranded::Waiting(batch);
            self.arrival.notify_one();
            loop {
                let _ = tokio::time::timeout(DISK_RETRY, self.landed.notified()).await;
                match mem::take(&mut *self.stranded.borrow_mut()) {
                    Stranded::Nothing => return,
                    Stranded::Waiting(back) | Stranded::Back(back) => {
                        batch = back;
                        break;
                    }
                    Stranded::Sending => {}
                }
                *self.stranded.borrow_mut() = Stranded::Sending;
            }
        }
    }

    fn put(&self, batch: &Batch) -> io::Result<()> {
        let mut events = Vec::new();
        let appended = self.spool.borrow_mut().append(batch, &mut events);
        self.note(events);
        appended?;
        let entries = batch.len() as u64;
        self.shared.counters.spooled(entries);
        self.shared.queue.release(entries, batch.cost(0..batch.len()));
        let compacted = self.spool.borrow_mut().compact();
        // That it has many files is no reason to have none.
        compacted.unwrap_or_else(|err| self.complain(&err));
        Ok(())
    }

    /// Puts on disk, if it takes it at once, what a deadline has found in memory.
    fn rescue(&self, intake: &mut Intake<'_>) {
        let mut batch = match self.stranded.take() {
            Stranded::Waiting(batch) | Stranded::Back(batch) => batch,
            // What was being sent was dropped with its request, and the server may have it.
            Stranded::Nothing | Stranded::Sending => Batch::default(),
        };
        loop {
            if batch.is_empty() {
                intake.fill(&mut batch);
            }
            if batch.is_empty() || self.put(&batch).is_err() {
                return;
            }
            batch = Batch::default();
        }
    }

    fn take_over(&self) {
        let mut events = Vec::new();
        self.spool.borrow_mut().take_over(&mut events);
        self.note(events);
    }

    /// Whether what waits on disk is not worth a request yet.
    fn has_few(&self, limits: &Limits) -> bool {
        let spool = self.spool.borrow();
        spool.waiting() < limits.trigger as u64 && !spool.has_earlier()
    }

    fn next(&self) -> io::Result<Option<Next>> {
        let mut events = Vec::new();
        let next = self.spool.borrow_mut().next(&mut events);
        self.note(events);
        next
    }

    /// Sends entries from the disk; says whether to go on.
    async fn send<T: Transport>(&self, delivery: &mut Delivery<'_, T>, next: &Next) -> bool {
        let is_settled = delivery.deliver(&next.batch, next.owner).await == Ended::Settled;
        if is_settled {
            let finished = self.spool.borrow_mut().finish();
            finished.unwrap_or_else(|err| self.complain(&err));
        }
        is_settled
    }

    /// Sends entries from memory, if there are any.
    async fn send_stranded<T: Transport>(&self, delivery: &mut Delivery<'_, T>) {
        let batch = match self.stranded.take() {
            Stranded::Waiting(batch) => batch,
            other => {
                *self.stranded.borrow_mut() = other;
                return;
            }
        };
        *self.stranded.borrow_mut() = Stranded::Sending;
        let landed = match delivery.deliver(&batch, Owner::Queue).await {
            Ended::Settled => Stranded::Nothing,
            Ended::Kept(entries) => {
                tokio::time::sleep(DISK_RETRY).await;
                Stranded::Back(batch.into_last(entries))
            }
        };
        *self.stranded.borrow_mut() = landed;
        self.landed.notify_one();
    }

    /// Counts what happened to entries on disk.
    fn note(&self, events: Vec<Event>) {
        for event in events {
            let (owner, reason, entries) = match event {
                Event::Found { entries } => {
                    self.shared.counters.recovered(entries);
                    continue;
                }
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
            if owner != Owner::Spool {
                continue;
            }
            if self.is_sending.get() {
                // Counted as finished now, they would stand for older ones, and a flush for those would end too early.
                self.ended_early.set(self.ended_early.get() + entries);
            } else {
                self.shared.progress.advance(entries);
            }
        }
    }

    fn complain(&self, problem: &io::Error) {
        self.complaints.borrow_mut().complain(Problem::Spool, 0, || problem.to_string());
    }
}
