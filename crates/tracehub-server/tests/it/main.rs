//! The server's behaviour: the real binary on a free port of the loopback address, driven over real HTTP.
//!
//! `contract` replays what was recorded of the original; `refusals` goes through bad input; `live` is the stream;
//! `process` is start, stop and exit codes; `python` runs the original's own client;
//! `migration` starts on a file of the original's server; `crash` kills it again and again; `storage` is about room,
//! `faulty_disk` about disks that refuse, `other_programs` about who else uses the file, `clocks` about clocks that are set, `stopping` about a stop under load;
//! `page` about what serves the page; `reads` about answers of any size; `sign_in` about the cookie of the page.

#![expect(clippy::expect_used, reason = "a test helper that fails is a failed test")]

mod access;
mod clocks;
mod contract;
mod crash;
mod faulty_disk;
mod live;
mod migration;
mod other_programs;
mod page;
mod process;
mod python;
mod reads;
mod refusals;
mod sign_in;
mod stats;
mod stopping;
mod storage;
mod support;
