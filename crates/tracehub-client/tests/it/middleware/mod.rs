//! The middlewares over real connections.

#[cfg(feature = "actix-web")]
mod actix;
#[cfg(feature = "reqwest")]
mod outgoing;
#[cfg(any(feature = "actix-web", feature = "tower"))]
mod server;
#[cfg(feature = "tower")]
mod tower;
