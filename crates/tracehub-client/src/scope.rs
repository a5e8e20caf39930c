//! An operation as a value: dropping it logs that it was left, and how.

use std::thread;

use serde::Serialize;

use crate::checkpoint::CheckpointLogger;

/// An entered operation; dropping it logs the leave, with `{"panicked": true}` if a panic unwinds through it.
#[derive(Debug)]
#[must_use = "dropped at once, the operation is left at once"]
pub struct CheckpointScope {
    /// None: left already, or nothing is logged.
    open: Option<Box<Open>>,
}

#[derive(Debug)]
struct Open {
    logger: CheckpointLogger,
    /// Correlation id, operation and endpoint.
    names: [String; 3],
    /// A scope that is opened while the thread unwinds, by another value's drop, has not panicked itself.
    panicking_before: bool,
    /// Whether a drop means that somebody gave it up.
    cancelled_by_drop: bool,
}

impl CheckpointScope {
    pub(crate) fn disabled() -> Self {
        Self { open: None }
    }

    pub(crate) fn entered(logger: CheckpointLogger, names: [&str; 3]) -> Self {
        let open = Open {
            logger,
            names: names.map(str::to_owned),
            panicking_before: thread::panicking(),
            cancelled_by_drop: false,
        };
        Self { open: Some(Box::new(open)) }
    }

    /// Logs the leave now, with `data`.
    pub fn leave(mut self, data: &(impl Serialize + ?Sized)) {
        if let Some(open) = self.open.take() {
            open.leave(data);
        }
    }

    /// From now on a drop means that the operation was given up: its leave says `{"cancelled": true}`. For futures,
    /// which are dropped when nobody waits for them any more; [`leave`](Self::leave) is what they do at their end.
    pub fn cancelled_unless_left(mut self) -> Self {
        if let Some(open) = &mut self.open {
            open.cancelled_by_drop = true;
        }
        self
    }
}

impl Drop for CheckpointScope {
    fn drop(&mut self) {
        #[derive(Serialize)]
        #[serde(rename_all = "snake_case")]
        enum Ending {
            Panicked(bool),
            Cancelled(bool),
        }
        if let Some(open) = self.open.take() {
            let ending = if thread::panicking() && !open.panicking_before {
                Some(Ending::Panicked(true))
            } else {
                open.cancelled_by_drop.then_some(Ending::Cancelled(true))
            };
            open.leave(&ending);
        }
    }
}

impl Open {
    fn leave(&self, data: &(impl Serialize + ?Sized)) {
        let [correlation_id, operation, endpoint] = &self.names;
        self.logger.checkpoint_exit(correlation_id, operation, endpoint, data);
    }
}
