//! One verb each: ask the server, hand the answer to the screen.

mod chain_id;

pub(crate) mod cleanup;
pub(crate) mod correlations;
pub(crate) mod diff;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod manual;
pub(crate) mod recent;
pub(crate) mod send;
pub(crate) mod serve;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod tail;
