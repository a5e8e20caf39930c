//! Live streams: `hub` knows who listens to which chain, `stream` is one listener's way from history into live.

pub(crate) mod hub;
pub(crate) mod stream;
