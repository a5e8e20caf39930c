//! The handlers: extract, one call, wrap.

pub(crate) mod admin;
pub(crate) mod compare;
pub(crate) mod correlations;
pub(crate) mod health;
pub(crate) mod ingest;
pub(crate) mod live;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod page;
pub(crate) mod recent;
pub(crate) mod session;
pub(crate) mod stats;
pub(crate) mod traces;
