//! Futures that keep their id: across `.await`, between tasks that share a thread, and from thread to thread.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use pin_project_lite::pin_project;
use tokio::task::JoinHandle;

use super::context::Context;

/// Runs `future` with `id` as the current one, wherever it is polled.
///
/// The id is current only while the future runs: between two polls, other tasks on the thread do not see it. The same
/// holds while the future is dropped. Tasks that it starts do not inherit it unless they are started with [`spawn`].
///
/// An id that is empty or longer than 256 bytes is replaced by a new one.
///
/// ```
/// use tracehub_client::correlation;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let request = |id: &'static str| {
///     correlation::with_correlation(id, async {
///         tokio::task::yield_now().await;
///         correlation::current()
///     })
/// };
/// let (first, second) = tokio::join!(request("c1"), request("c2"));
/// assert_eq!((first.as_deref(), second.as_deref()), (Some("c1"), Some("c2")));
/// # });
/// ```
pub fn with_correlation<F: Future>(id: impl Into<Arc<str>>, future: F) -> WithCorrelation<F> {
    WithCorrelation { future: Some(future), context: Context::of(id.into()) }
}

/// Runs `future` with the id that is current here, wherever it is polled; with none if there is none.
///
/// [`spawn`] is this for a tokio task. Use this one for a `JoinSet`, for `spawn_local`, or for another runtime.
///
/// ```
/// use tracehub_client::correlation;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(
/// correlation::with_correlation("c1", async {
///     let mut tasks = tokio::task::JoinSet::new();
///     tasks.spawn(correlation::carry_future(async { correlation::current() }));
///     assert_eq!(tasks.join_next().await.unwrap().unwrap().as_deref(), Some("c1"));
/// })
/// # );
/// ```
pub fn carry_future<F: Future>(future: F) -> WithCorrelation<F> {
    WithCorrelation { future: Some(future), context: Context::of_current() }
}

/// `tokio::spawn` for a task that keeps the id that is current here.
///
/// # Panics
///
/// As `tokio::spawn`: if it is called outside a tokio runtime.
///
/// ```
/// use tracehub_client::correlation;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(
/// correlation::with_correlation("c1", async {
///     let task = correlation::spawn(async { correlation::current() });
///     assert_eq!(task.await.unwrap().as_deref(), Some("c1"));
/// })
/// # );
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(carry_future(future))
}

pin_project! {
    /// A future with a correlation id; see [`with_correlation`].
    #[must_use = "futures do nothing unless polled"]
    pub struct WithCorrelation<F> {
        // None only while it is dropped.
        #[pin]
        future: Option<F>,
        context: Context,
    }

    impl<F> PinnedDrop for WithCorrelation<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // What the future holds may log as it goes.
            let _entered = this.context.enter();
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for WithCorrelation<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.context.enter();
        match this.future.as_pin_mut() {
            Some(future) => future.poll(context),
            None => Poll::Pending,
        }
    }
}

impl<F> fmt::Debug for WithCorrelation<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WithCorrelation").field("id", &self.context.id()).finish_non_exhaustive()
    }
}
