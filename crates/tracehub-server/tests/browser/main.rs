//! The page, in a real Chromium: what a person sees and does, against the real server.
//!
//! `page` is the one browser that all tests share, one after the other; `story` what they send. `chains` is the list,
//! `chain` one chain, `waterfall` its picture, `live` what comes while the page is open, `hostile` what nobody should be able
//! to send, `size` what is large or small, `sign_in` the way in, `outage` a server that goes and comes, `accessible` who can
//! use it at all.
#![expect(clippy::expect_used, reason = "a test helper that fails is a failed test")]

mod accessible;
mod chain;
mod chains;
#[path = "../it/description.rs"]
mod description;
mod hostile;
mod live;
mod outage;
mod page;
mod sign_in;
mod size;
mod story;
#[expect(dead_code, reason = "the other tests use the rest")]
#[path = "../it/support.rs"]
mod support;
mod waterfall;
