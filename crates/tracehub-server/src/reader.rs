//! Reads on the blocking pool: the store's calls block, handlers must not.

use std::sync::Arc;

use actix_web::web;
use tracehub_core::store::{StoreError, StoreReader};

use crate::error::ApiError;

/// The store's reading side, for async code.
#[derive(Clone)]
pub(crate) struct Reader(Arc<dyn StoreReader>);

impl std::fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Reader")
    }
}

impl Reader {
    pub(crate) fn new(store: Arc<dyn StoreReader>) -> Self {
        Self(store)
    }

    /// Runs a query off the async threads.
    pub(crate) async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&dyn StoreReader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let store = Arc::clone(&self.0);
        match web::block(move || query(&*store)).await {
            Ok(outcome) => outcome.map_err(|err| ApiError::from(&err)),
            Err(err) => {
                tracing::error!(error = %err, "a query did not finish");
                Err(ApiError::Internal)
            }
        }
    }
}
