//! The binary as a user runs it, against a server that answers from a script.

#![expect(clippy::expect_used, reason = "a test helper that fails is a failed test")]

mod commands;
mod failures;
mod support;

mod config;
mod hostile;
mod hub;
mod loading;
mod manual;
mod pager;
mod pty;
mod real;
mod round_trip;
mod serve;
mod snapshots;
mod stats;
mod terminal;
mod views;
