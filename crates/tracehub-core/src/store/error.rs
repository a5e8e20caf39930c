//! How a store fails, named after what it was doing.

/// A store could not do what was asked. The source says why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Batches could not be stored; nothing of them was.
    #[error("cannot store the entries")]
    Ingest(#[source] BoxError),
    /// Old entries could not be deleted.
    #[error("cannot delete old entries")]
    Delete(#[source] BoxError),
    /// Entries or chains could not be read.
    #[error("cannot read the store")]
    Read(#[source] BoxError),
}

/// The database's own word. Boxed, so that the contract names no database.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
