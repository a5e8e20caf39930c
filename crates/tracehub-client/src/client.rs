//! The sending side: hand over an entry without waiting, flush, close, and see what became of the entries.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tracehub_core::TraceEntry;

use crate::builder::TraceHubClientBuilder;
use crate::error::{BuildError, Refused};
use crate::guard::Handle;
use crate::item::Item;
use crate::progress::Deadline;
use crate::stats::Stats;
use crate::worker::Shared;

/// Sends entries to a TraceHub server. Cheap to clone; clones share one queue and one worker thread.
///
/// [`send`](Self::send) never blocks and never panics; batching, retries and all I/O happen on the worker. Dropping the
/// last clone delivers what waits, for up to the [drop deadline](TraceHubClientBuilder::drop_deadline). So does the end of
/// the process, by `process::exit` or from `main`, also after a panic, for clients that nobody has dropped, such as one in
/// a `static`. A process that is aborted or killed keeps what a [spool](TraceHubClientBuilder::spool_dir) has on disk.
///
/// ```no_run
/// use std::time::Duration;
/// use tracehub_client::{TraceEntry, TraceHubClient};
///
/// let client = TraceHubClient::builder("http://127.0.0.1:8099").build()?;
/// let entry = TraceEntry::builder("MA", "order-42").operation("REST").endpoint("/api/orders").build()?;
/// client.send(entry)?;
/// let report = client.close(Duration::from_secs(5));
/// assert_eq!(report.delivered, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TraceHubClient {
    /// None: disabled.
    handle: Option<Arc<Handle>>,
}

/// How a flush ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a flush may end before everything is delivered"]
pub enum FlushOutcome {
    /// Everything that was sent before is acknowledged, or dropped for a reason that
    /// [`stats`](TraceHubClient::stats) counts.
    Complete,
    /// The flush's deadline, or that of a close, came first.
    DeadlinePassed {
        /// How many of the entries that were sent before are neither acknowledged nor dropped.
        pending: u64,
    },
}

/// What became of all accepted entries when a client was closed: `accepted` is
/// `delivered + spooled + dropped + pending`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Entries that the server has acknowledged.
    pub delivered: u64,
    /// Entries that are safe on disk, for the next process that opens the spool; always 0 without one.
    pub spooled: u64,
    /// Entries that were given up; [`Stats::dropped`] says why.
    pub dropped: u64,
    /// Entries that the deadline cut off. The server may have those that were on their way; nothing more is sent.
    pub pending: u64,
}

impl TraceHubClient {
    /// Builds a client from the environment; see [`TraceHubClientBuilder::from_env`]. Without `TRACEHUB_URL` it is
    /// disabled, which costs nothing.
    ///
    /// # Errors
    /// [`BuildError`], such as for a variable whose value cannot be used.
    pub fn from_env() -> Result<Self, BuildError> {
        TraceHubClientBuilder::from_env()?.build()
    }

    /// Starts a client of the server at `url`, `http://host[:port][/prefix]`. An empty `url` makes a disabled client.
    pub fn builder(url: &str) -> TraceHubClientBuilder {
        TraceHubClientBuilder::new(url)
    }

    /// A client that sends nothing: no thread, no memory, and every call returns at once.
    #[must_use]
    pub fn disabled() -> Self {
        Self { handle: None }
    }

    pub(crate) fn with_worker(handle: Handle) -> Self {
        Self { handle: Some(Arc::new(handle)) }
    }

    /// Whether entries go anywhere.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.handle.is_some()
    }

    /// Hands an entry over. Returns at once, whatever state the server is in. A disabled client takes every entry and
    /// forgets it.
    ///
    /// # Errors
    /// [`Refused`] says why the entry was not taken. It is counted; a caller that cannot act may ignore it.
    pub fn send(&self, entry: TraceEntry) -> Result<(), Refused> {
        let Some(handle) = &self.handle else {
            return Ok(());
        };
        let outcome = handle.shared.queue.offer(Item::Entry(Box::new(entry)));
        if let Err(refused) = outcome {
            handle.shared.counters.refused(refused);
        }
        outcome
    }

    /// What the worker shares; none if disabled.
    pub(crate) fn shared(&self) -> Option<&Shared> {
        self.handle.as_ref().map(|handle| &*handle.shared)
    }

    /// Whether checkpoints become entries.
    pub(crate) fn takes_checkpoints(&self) -> bool {
        self.handle.as_ref().is_some_and(|handle| handle.takes_checkpoints)
    }

    /// Waits until every entry whose `send` returned before this call is acknowledged or dropped, at most for
    /// `deadline`. Entries that are sent meanwhile do not prolong it.
    ///
    /// Blocks the calling thread and needs no async runtime. Inside one it is safe, but it keeps that thread from other
    /// tasks; prefer a blocking thread such as `spawn_blocking` there.
    pub fn flush(&self, deadline: Duration) -> FlushOutcome {
        let Some(handle) = &self.handle else {
            return FlushOutcome::Complete;
        };
        let shared = &handle.shared;
        let target = shared.queue.accepted();
        if shared.queue.is_forked() {
            // The worker stayed behind in the other process.
            return FlushOutcome::DeadlinePassed { pending: target };
        }
        if shared.progress.finished() < target {
            shared.hurry(target);
        }
        let state = shared.progress.wait_for(target, Deadline::after(deadline));
        match target.saturating_sub(state.finished) {
            0 => FlushOutcome::Complete,
            pending => FlushOutcome::DeadlinePassed { pending },
        }
    }

    /// Refuses new entries on all clones, delivers what waits, at most for `deadline`, and stops the worker. A request
    /// that is on its way at the deadline is abandoned.
    ///
    /// Blocks the calling thread, like [`flush`](Self::flush). May be called again: the first deadline stays, the
    /// report is the same once the worker has stopped.
    #[expect(clippy::must_use_candidate, reason = "most callers close for the effect and keep no report")]
    pub fn close(&self, deadline: Duration) -> Report {
        let Some(handle) = &self.handle else {
            return Report::default();
        };
        handle.close(deadline);
        let stats = handle.shared.stats();
        Report {
            delivered: stats.delivered,
            spooled: stats.spooled,
            dropped: stats.dropped.total(),
            pending: stats.pending,
        }
    }

    /// What became of the entries so far. All zero for a disabled client.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.handle.as_ref().map(|handle| handle.shared.stats()).unwrap_or_default()
    }
}

impl fmt::Debug for TraceHubClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TraceHubClient")
            .field("url", &self.handle.as_ref().map_or("", |handle| handle.url.as_str()))
            .field("stats", &self.stats())
            .finish()
    }
}
