//! One verb each: ask the server, hand the answer to the screen.

pub(crate) mod cleanup;
pub(crate) mod correlations;
pub(crate) mod health;
pub(crate) mod show;
pub(crate) mod tail;
