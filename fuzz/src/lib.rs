//! Parsers under bytes that nobody expected: what must hold of each, whatever it is given.
//!
//! A target is a function that takes any bytes and panics when something does not hold. `cargo xtask fuzz` lets libFuzzer
//! look for bytes that make it (`fuzz_targets/`), beginning with those in `corpus/`; the tests of this crate replay the
//! corpus, and feed the same functions with what is nearly right.
#![expect(clippy::expect_used, reason = "a target panics when something does not hold: so libFuzzer learns of it")]

use std::io;

pub mod config;
pub mod ingest;
mod model;
pub mod query;
pub mod segment;
pub mod stream;

/// A target by its name: that of its corpus and of its program.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 5] = [
    ("config", config::check),
    ("ingest", ingest::check),
    ("query", query::check),
    ("segment", segment::check),
    ("stream", stream::check),
];

/// Checks each file that is named on the command line, such as what made a target panic.
///
/// # Errors
/// A file cannot be read.
///
/// # Panics
/// Something does not hold.
pub fn replay(check: fn(&[u8])) -> io::Result<()> {
    for file in std::env::args_os().skip(1) {
        check(&std::fs::read(file)?);
    }
    Ok(())
}
