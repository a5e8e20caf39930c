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
    drop_deadline: Duration,
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>, url: BaseUrl, drop_deadline: Duration) -> Self {
        Self { shared, url, drop_deadline }
    }

    /// Takes no more entries, delivers what waits, and stops the worker; blocks until that is done or the deadline.
    pub(crate) fn close(&self, wait: Duration) {
        let deadline = Deadline::after(wait);
        self.shared.close(deadline);
        self.shared.progress.wait_for_end(deadline);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close(self.drop_deadline);
    }
}
