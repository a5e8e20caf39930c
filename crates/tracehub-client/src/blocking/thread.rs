//! The thread that asks for blocking callers, with a runtime of its own.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::error::QueryError;

/// The name of the thread. Linux shows 15 bytes.
const NAME: &str = "tracehub-query";

/// A handle of the thread, which ends with the last one.
///
/// Nothing here may enter, block on or drop a runtime: the caller may be a thread of another one, where each of these
/// panics. So the runtime is made and dropped on its own thread, and callers wait at a channel. Each caller waits for its
/// answer, so there are never more questions than callers.
#[derive(Debug)]
pub(super) struct Asker {
    runtime: Handle,
    /// The thread ends when this is dropped.
    _stop: oneshot::Sender<()>,
}

impl Asker {
    /// Starts the thread.
    pub(super) fn start() -> Result<Arc<Self>, QueryError> {
        let (started, starting) = bounded(1);
        let (stop, stopped) = oneshot::channel::<()>();
        let body = move || match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                if started.send(Ok(runtime.handle().clone())).is_ok() {
                    // Nothing is ever sent; it ends when the last handle is gone.
                    let _ = runtime.block_on(stopped);
                }
            }
            Err(err) => {
                let _ = started.send(Err(err));
            }
        };
        thread::Builder::new().name(NAME.to_owned()).spawn(body).map_err(|err| worker(&err))?;
        let runtime = starting.recv().map_err(|err| worker(&err))?.map_err(|err| worker(&err))?;
        Ok(Arc::new(Self { runtime, _stop: stop }))
    }

    /// Runs a question on the thread and blocks until it is answered.
    pub(super) fn ask<A: Send + 'static>(
        &self,
        question: impl Future<Output = Result<A, QueryError>> + Send + 'static,
    ) -> Result<A, QueryError> {
        self.begin(question).wait()?
    }

    /// Starts a question on the thread.
    pub(super) fn begin<A: Send + 'static>(&self, question: impl Future<Output = A> + Send + 'static) -> Answer<A> {
        let (answer, answered) = bounded(1);
        let task = self.runtime.spawn(async move {
            // There is room for the one answer; nobody may want it any more.
            let _ = answer.try_send(question.await);
        });
        Answer { answered, task: task.abort_handle() }
    }
}

/// An answer that is on its way. Dropping it gives the question up.
#[derive(Debug)]
pub(super) struct Answer<A> {
    answered: Receiver<A>,
    task: AbortHandle,
}

impl<A> Answer<A> {
    /// Blocks until it is there.
    pub(super) fn wait(&self) -> Result<A, QueryError> {
        self.answered.recv().map_err(|err| worker(&err))
    }

    /// Blocks until it is there, or for this long; none then.
    pub(super) fn wait_for(&self, wait: Duration) -> Result<Option<A>, QueryError> {
        match self.answered.recv_timeout(wait) {
            Ok(answer) => Ok(Some(answer)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(err @ RecvTimeoutError::Disconnected) => Err(worker(&err)),
        }
    }
}

impl<A> Drop for Answer<A> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn worker(err: &dyn std::error::Error) -> QueryError {
    QueryError::Worker { reason: err.to_string() }
}
