//! The last handle: dropping it delivers what waits, within a deadline.

use std::sync::Arc;
use std::time::Duration;

use crate::http::BaseUrl;
use crate::progress::Deadline;
use crate::worker::Shared;

/// What all clones of a client hold together. The worker holds [`Shared`] alone, so it does not keep this alive.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) url: BaseUrl,
    /// Whether checkpoints become entries.
    pub(crate) takes_checkpoints: bool,
    drop_deadline: Duration,
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>, url: BaseUrl, takes_checkpoints: bool, drop_deadline: Duration) -> Self {
        exit::register(&shared, drop_deadline);
        Self { shared, url, takes_checkpoints, drop_deadline }
    }

    /// Takes no more entries, delivers what waits, and stops the worker; blocks until that is done or the deadline.
    pub(crate) fn close(&self, wait: Duration) {
        if let Some(deadline) = begin_close(&self.shared, wait) {
            self.shared.progress.wait_for_end(deadline);
        }
    }
}

/// Says until when to wait for the worker's end; not at all in a fork: the worker stayed behind in the other process, and
/// what waits is that one's to send.
fn begin_close(shared: &Shared, wait: Duration) -> Option<Deadline> {
    if shared.queue.is_forked() {
        return None;
    }
    let deadline = Deadline::after(wait);
    shared.close(deadline);
    Some(deadline)
}

/// What the process does on its way out: a client in a `static` is never dropped, and `process::exit` drops nothing.
mod exit {
    use std::sync::{Arc, Mutex, PoisonError, Weak};
    use std::time::Duration;

    use super::{Shared, begin_close};

    /// The clients that live.
    static CLIENTS: Mutex<Vec<(Weak<Shared>, Duration)>> = Mutex::new(Vec::new());

    pub(super) fn register(shared: &Arc<Shared>, wait: Duration) {
        let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|(client, _)| client.strong_count() > 0);
        clients.push((Arc::downgrade(shared), wait));
    }

    /// Runs when `main` has returned, also after a panic of it, and in `process::exit`.
    #[dtor::dtor(unsafe)]
    fn deliver_what_waits() {
        // Whoever holds it while the process ends is not waited for.
        let Ok(clients) = CLIENTS.try_lock() else { return };
        let living = clients.iter().filter_map(|(client, wait)| Some((client.upgrade()?, *wait)));
        // All at once: two servers that hang must not hold up the process one after the other.
        let closing: Vec<_> = living.map(|(client, wait)| (begin_close(&client, wait), client)).collect();
        for (deadline, client) in closing {
            if let Some(deadline) = deadline {
                client.progress.wait_for_end(deadline);
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close(self.drop_deadline);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tracehub_core::TraceEntry;

    use super::*;
    use crate::client::{FlushOutcome, TraceHubClient};
    use crate::error::Refused;

    const LONG: Duration = Duration::from_secs(30);

    /// In a fork there is no worker: nothing that waits for it may wait, and dropping must not either.
    #[test]
    fn a_fork_waits_for_nobody() {
        let mut shared = Shared::new(100, 1 << 20);
        shared.queue.pretend_fork();
        let url = BaseUrl::parse("http://hub").unwrap();
        let client = TraceHubClient::with_worker(Handle::new(Arc::new(shared), url, true, LONG));
        let entry = TraceEntry::builder("MA", "c1").build().unwrap();
        let start = Instant::now();
        assert_eq!(client.send(entry), Err(Refused::Forked));
        assert_eq!(client.flush(LONG), FlushOutcome::DeadlinePassed { pending: 0 });
        assert_eq!(client.close(LONG).pending, 0);
        assert_eq!((client.stats().accepted, client.stats().refused.forked), (0, 1));
        drop(client);
        assert!(start.elapsed() < LONG / 2);
    }
}
