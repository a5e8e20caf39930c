//! The checkpoints of one request: entered, and left once, however it ends.

use serde::Serialize;
use tracehub_core::entry::MAX_ENDPOINT_BYTES;

use crate::checkpoint::CheckpointLogger;
use crate::scope::CheckpointScope;

/// The operation of every request.
const OPERATION: &str = "REST";

/// A request that was entered; dropping it leaves it.
#[derive(Debug)]
pub(super) struct RequestCheckpoint {
    /// None: left already, or nobody asked for checkpoints.
    scope: Option<CheckpointScope>,
    /// The host's code runs. Whether a thread unwinds would not tell: a future that panicked is often dropped after
    /// somebody caught the panic, and one that did not is dropped while another's panic unwinds.
    running: bool,
}

/// What the leave says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum End {
    Status(u16),
    #[cfg(feature = "tower")]
    Failed(bool),
    Cancelled(bool),
    Panicked(bool),
}

impl RequestCheckpoint {
    /// Enters `endpoint`, which is made only if somebody wants it, and cut to what an entry can hold.
    pub(super) fn enter(logger: Option<&CheckpointLogger>, id: &str, endpoint: impl FnOnce() -> String) -> Self {
        let wanted = logger.filter(|logger| logger.client().is_enabled());
        let scope = wanted.map(|logger| {
            let endpoint = endpoint();
            logger.scope(id, OPERATION, &endpoint[..endpoint.floor_char_boundary(MAX_ENDPOINT_BYTES)])
        });
        Self { scope, running: false }
    }

    /// Runs the host's code and notices if it panics.
    pub(super) fn watch<T>(&mut self, work: impl FnOnce() -> T) -> T {
        self.running = true;
        let done = work();
        self.running = false;
        done
    }

    /// The request was answered.
    pub(super) fn answered(&mut self, status: u16) {
        self.leave(&End::Status(status));
    }

    /// There is no answer, but an error of the service.
    #[cfg(feature = "tower")]
    pub(super) fn failed(&mut self) {
        self.leave(&End::Failed(true));
    }

    fn leave(&mut self, end: &End) {
        if let Some(scope) = self.scope.take() {
            scope.leave(end);
        }
    }
}

impl Drop for RequestCheckpoint {
    fn drop(&mut self) {
        self.leave(&if self.running { End::Panicked(true) } else { End::Cancelled(true) });
    }
}
