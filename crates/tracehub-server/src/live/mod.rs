//! Live streams: `hub` knows who listens to what, `queue` holds what waits for one of them,
//! `frame` is a committed group as events, `stream` is one listener's way
//! from history into live, `subject` what it wants to hear of, `admission` counts the streams.

pub(crate) mod admission;
pub(crate) mod frame;
pub(crate) mod hub;
mod queue;
pub(crate) mod stream;
pub(crate) mod subject;

#[cfg(test)]
mod tests;
