//! A batch on its way: sent until each of its entries is delivered or dropped, in halves if need be; losses are reported
//! to the server once it answers again.

use std::cell::RefCell;
use std::iter;
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use tracehub_core::wire::read::write_entry;
use tracehub_core::{Direction, TraceEntry};

use crate::batch::Batch;
use crate::complaint::{Complaints, Problem};
use crate::pace::Pace;
use crate::retry::{self, Verdict};
use crate::stats::{DropReason, Stats};
use crate::transport::{Outcome, Transport};
use crate::worker::Shared;

/// How often losses are reported at most.
const BETWEEN_LOSS_REPORTS: Duration = Duration::from_secs(10);
/// Who reports losses: a chain of its own, `tracehub-client-<the client's prefix>`.
const LOSS_SOURCE: &str = "tracehub-client";

/// Sends batches, and keeps count of what becomes of them.
pub(crate) struct Delivery<'a, T> {
    shared: &'a Shared,
    transport: &'a T,
    /// How often a request is sent again; none: for ever, because what cannot be sent is safe meanwhile.
    retries: Option<u32>,
    complaints: &'a RefCell<Complaints>,
    /// How much may arrive in time.
    pace: Pace,
    /// The losses that were reported.
    reported: Losses,
    last_report: Option<Instant>,
}

/// Whose entries a batch has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This client's, still held by its queue.
    Queue,
    /// This client's, kept by its spool.
    Spool,
    /// A client's of an earlier process, which left them in the spool.
    Earlier,
}

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Each entry is delivered or dropped.
    Settled,
    /// The server cannot be reached, and these last entries of the batch go back: on disk they are safe, so the client may
    /// end; those from memory may have to try the disk again.
    Kept(usize),
}

impl<'a, T: Transport> Delivery<'a, T> {
    pub(crate) fn new(
        shared: &'a Shared,
        transport: &'a T,
        retries: Option<u32>,
        complaints: &'a RefCell<Complaints>,
    ) -> Self {
        Self {
            shared,
            transport,
            retries,
            complaints,
            pace: Pace::default(),
            reported: Losses::default(),
            last_report: None,
        }
    }

    /// Sends a batch. Halves are sent in order, so the finished entries are always the first ones that were enqueued.
    ///
    /// All parts of a batch share its retries, which begin anew when the server has settled one: the wait for a server
    /// that takes nothing does not grow with the number of parts.
    pub(crate) async fn deliver(&mut self, batch: &Batch, owner: Owner) -> Ended {
        let mut parts: Vec<Range<usize>> = iter::once(0..batch.len()).collect();
        let mut retried = 0;
        while let Some(mut part) = parts.pop() {
            let body = batch.body(part.clone());
            let settled = if part.len() > 1 && !self.pace.fits(body.len()) {
                Settled::Halve
            } else {
                self.settle(body, part.len(), owner, &mut retried).await
            };
            match &settled {
                Settled::Delivered => self.shared.counters.delivered(owner, part.len() as u64),
                Settled::Dropped(reason, outcome) => {
                    if *reason == DropReason::Undelivered {
                        parts.clear();
                        part.end = batch.len();
                    }
                    let entries = part.len() as u64;
                    self.complaints.borrow_mut().complain(Problem::Dropped, entries, || describe(outcome));
                    self.shared.counters.dropped(owner, *reason, entries);
                }
                Settled::Kept => return Ended::Kept(batch.len() - part.start),
                Settled::Halve => {
                    let middle = part.start + part.len() / 2;
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                    continue;
                }
            }
            let entries = part.len() as u64;
            if owner == Owner::Queue {
                self.shared.queue.release(entries, batch.cost(part));
            }
            if owner != Owner::Earlier {
                self.shared.progress.advance(entries);
            }
            if matches!(settled, Settled::Delivered) {
                self.report_losses().await;
            }
        }
        Ended::Settled
    }

    /// Sends one body, again and again if need be. Every time it is the same bytes, so that the server can tell that it
    /// has the entries already.
    async fn settle(&mut self, body: bytes::Bytes, entries: usize, owner: Owner, retried: &mut u32) -> Settled {
        let has_spool = self.retries.is_none();
        let is_on_disk = owner != Owner::Queue;
        loop {
            let sent = Instant::now();
            let outcome = self.transport.post(body.clone()).await;
            self.pace.note(&outcome, body.len(), sent.elapsed());
            let is_late = matches!(outcome, Outcome::TimedOut { .. });
            let may_stay = is_on_disk && has_spool && self.shared.queue.is_closed();
            match retry::judge(&outcome, entries, self.pace.timeouts(), *retried, self.retries, fastrand::f64()) {
                Verdict::Again(_) if may_stay => return Settled::Kept,
                Verdict::Halve if may_stay && is_late => return Settled::Kept,
                Verdict::Halve if is_late => return Settled::Halve,
                Verdict::Again(wait) => {
                    let count = entries as u64;
                    self.complaints.borrow_mut().complain(Problem::Delayed, count, || describe(&outcome));
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        // What is safe need not wait for its turn before the client ends.
                        () = self.shared.closed(), if has_spool => {}
                    }
                    if has_spool && !is_on_disk {
                        return Settled::Kept;
                    }
                    *retried = retried.saturating_add(1);
                }
                Verdict::Delivered => {
                    *retried = 0;
                    return Settled::Delivered;
                }
                Verdict::Halve => {
                    *retried = 0;
                    return Settled::Halve;
                }
                Verdict::Drop(reason) => {
                    *retried = 0;
                    return Settled::Dropped(reason, outcome);
                }
            }
        }
    }

    /// Tells the server of entries that are missing from its chains, as an entry of its own. Tried once: what could not be
    /// told now is told with the next losses. The report itself is not among the counted entries.
    async fn report_losses(&mut self) {
        let losses = Losses::of(&self.shared.stats());
        let due = self.last_report.is_none_or(|last| last.elapsed() >= BETWEEN_LOSS_REPORTS);
        if losses == self.reported || !due {
            return;
        }
        self.last_report = Some(Instant::now());
        let Some(body) = losses.since(&self.reported).report(self.shared.origin.prefix()) else { return };
        let outcome = self.transport.post(body).await;
        if retry::judge(&outcome, 1, 0, 0, Some(0), 0.0) == Verdict::Delivered {
            self.reported = losses;
        }
    }
}

/// What became of a part of a batch.
enum Settled {
    Delivered,
    Dropped(DropReason, Outcome),
    Kept,
    Halve,
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Acknowledged { accepted } => format!("the server counted {accepted} entries"),
        Outcome::Unknown => "the answer is not one of a TraceHub server".to_owned(),
        Outcome::Refused { status, message, .. } => format!("the server answered {status}: {message}"),
        Outcome::Unreachable { reason } | Outcome::TimedOut { reason } => {
            format!("the server cannot be reached: {reason}")
        }
    }
}

/// Entries that no server will get, by what happened to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
struct Losses {
    refused: u64,
    rejected: u64,
    undelivered: u64,
    evicted: u64,
    other: u64,
}

impl Losses {
    fn of(stats: &Stats) -> Self {
        let dropped = stats.dropped;
        let known = dropped.rejected + dropped.undelivered + dropped.evicted;
        Self {
            refused: stats.refused.total(),
            rejected: dropped.rejected,
            undelivered: dropped.undelivered,
            evicted: dropped.evicted,
            other: dropped.total() - known,
        }
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            refused: self.refused - before.refused,
            rejected: self.rejected - before.rejected,
            undelivered: self.undelivered - before.undelivered,
            evicted: self.evicted - before.evicted,
            other: self.other - before.other,
        }
    }

    /// A request with the one entry that says it; none if it cannot be written, which plain numbers can.
    fn report(&self, client: &str) -> Option<bytes::Bytes> {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let entry = TraceEntry::builder(LOSS_SOURCE, format!("{LOSS_SOURCE}-{client}"))
            .direction(Direction::from("lost"))
            .operation("TRACEHUB")
            .endpoint("entries lost")
            .timestamp(since_1970.as_nanos() as f64 / 1e6)
            .suffix(client)
            .data_json(serde_json::to_string(self).ok()?)
            .build()
            .ok()?;
        let mut batch = Batch::default();
        batch.push(0, |json| write_entry(json, &entry.as_ref()));
        Some(batch.body(0..1))
    }
}
