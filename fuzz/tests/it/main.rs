//! The targets without libFuzzer: the whole corpus, and what is nearly right.

mod corpus;
mod ingest;
mod stream;
