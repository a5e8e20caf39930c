//! The reading side: `client.rs` is what can be asked, `live.rs` what can be followed, `filter.rs` how that is narrowed,
//! `ask.rs` the way there and back, `pages.rs` a list of any length, `send.rs` the one
//! way to write: entries with an answer to each request.

pub(crate) mod ask;
mod client;
mod filter;
mod live;
mod pages;
mod send;

pub use client::TraceHubQueryClient;
pub use filter::{ChainStatus, Clocks, CorrelationQuery, RecentQuery, StreamFilter};
pub use pages::CorrelationPages;
pub use send::{IngestFault, IngestReply};
