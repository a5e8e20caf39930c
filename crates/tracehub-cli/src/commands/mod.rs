//! One verb each: ask the server, hand the answer to the screen.

pub(crate) mod cleanup;
pub(crate) mod correlations;
pub(crate) mod health;
pub(crate) mod show;
pub(crate) mod tail;

pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod manual;
pub(crate) mod send;
pub(crate) mod serve;
pub(crate) mod stats;
