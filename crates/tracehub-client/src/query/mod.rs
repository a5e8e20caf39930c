//! The reading side: `client.rs` is what can be asked, `live.rs` what can be followed, `filter.rs` how that is narrowed,
//! `ask.rs` the way there and back, `pages.rs` a list of any length.

pub(crate) mod ask;
mod client;
mod filter;
mod live;
mod pages;

pub use client::TraceHubQueryClient;
pub use filter::{ChainStatus, Clocks, CorrelationQuery, RecentQuery, StreamFilter};
pub use pages::CorrelationPages;
