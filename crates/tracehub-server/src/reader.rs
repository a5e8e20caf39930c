//! Reads on the blocking pool: the store's calls block, handlers must not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::web;
use tracehub_core::store::{StoreError, StoreReader};

use crate::error::ApiError;
use crate::metrics::kinds::Counter;

/// The store's reading side, for async code.
#[derive(Clone)]
pub(crate) struct Reader {
    store: Arc<dyn StoreReader>,
    counts: Arc<Counts>,
}

/// What readers do.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Questions under way, or waiting for a connection.
    busy: AtomicU64,
    pub(crate) questions: Counter,
    /// Questions that took longer than one may.
    pub(crate) too_slow: Counter,
}

impl Counts {
    pub(crate) fn busy(&self) -> u64 {
        self.busy.load(Ordering::Relaxed)
    }
}

/// A question under way; over when dropped, also by a panic.
struct Question(Arc<Counts>);

impl Question {
    fn begin(counts: &Arc<Counts>) -> Self {
        counts.busy.fetch_add(1, Ordering::Relaxed);
        counts.questions.add(1);
        Self(Arc::clone(counts))
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Reader")
    }
}

impl Reader {
    pub(crate) fn new(store: Arc<dyn StoreReader>) -> Self {
        Self { store, counts: Arc::default() }
    }

    /// What readers do.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Runs a query off the async threads.
    pub(crate) async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&dyn StoreReader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let store = Arc::clone(&self.store);
        let question = Question::begin(&self.counts);
        // The question goes on where it was begun, whether or not somebody still waits for its answer.
        let run = move || {
            let _question = question;
            query(&*store)
        };
        match web::block(run).await {
            Ok(outcome) => outcome.map_err(|err| {
                if let StoreError::TooSlow(_) = err {
                    self.counts.too_slow.add(1);
                }
                ApiError::from(&err)
            }),
            Err(err) => {
                tracing::error!(error = %err, "a query did not finish");
                Err(ApiError::Internal)
            }
        }
    }
}
