//! The server's behaviour: the real binary on a free port of the loopback address, driven over real HTTP.
//!
//! `contract` replays what was recorded of the original; `refusals` goes through bad input; `live` is the stream;
//! `process` is start, stop and exit codes; `python` runs the original's own client;
//! `migration` starts on a file of the original's server.

#![expect(clippy::expect_used, reason = "a test helper that fails is a failed test")]

mod contract;
mod live;
mod migration;
mod process;
mod python;
mod refusals;
mod support;
