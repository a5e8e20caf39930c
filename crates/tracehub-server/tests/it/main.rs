//! The server's behaviour: the real binary on a free port of the loopback address, driven over real HTTP.
//!
//! `contract` replays what was recorded of the original; `refusals` goes through bad input; `live` is the stream;
//! `process` is start, stop and exit codes; `python` runs the original's own client;
//! `migration` starts on a file of the original's server; `crash` kills it again and again; `storage` is about room,
//! `faulty_disk` about disks that refuse, `other_programs` about who else uses the file, `clocks` about clocks that are set,
//! `stopping` about a stop under load; `page` about what serves the page; `openapi` holds answers against `description`, what
//! the server says of itself, and `schemathesis` attacks it with that; `reads` about answers of any size; `sign_in` about the
//! cookie of the page; `protocol` is what is not quite HTTP, over the sockets of `raw`; `limits` who comes too often; `tls`
//! HTTPS; `health` is what supervisors ask and are told, `metrics` what is counted, `logs` what is written, `packaging` the
//! files for those who run a server.

#![expect(clippy::expect_used, reason = "a test helper that fails is a failed test")]

mod access;
mod clocks;
mod contract;
mod crash;
mod description;
mod faulty_disk;
mod health;
mod limits;
mod live;
mod logs;
mod metrics;
mod migration;
mod openapi;
mod other_programs;
mod packaging;
mod page;
mod process;
mod protocol;
mod python;
mod raw;
mod reads;
mod refusals;
mod schemathesis;
mod sign_in;
mod stats;
mod stopping;
mod storage;
mod support;
mod tls;
