//! The targets without libFuzzer: the whole corpus, and what is nearly right.
#![expect(clippy::expect_used, reason = "a test helper that fails is a failed test")]

mod corpus;
mod ingest;
mod stream;
