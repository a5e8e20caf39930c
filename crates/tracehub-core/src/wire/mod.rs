//! The JSON contract: what comes in, what goes out, and how it is refused. Plain data; HTTP is elsewhere.

pub mod calls;
pub mod compare;
mod diagnose;
pub mod error;
pub mod health;
pub mod ingest;
pub mod live;
mod number;
pub mod read;
pub(crate) mod scan;
#[cfg(feature = "schema")]
pub mod schema;
pub mod session;
pub mod stats;
