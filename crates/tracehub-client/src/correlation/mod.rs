//! The correlation id: where it comes from, and how it stays with a request through threads, tasks and headers.
//!
//! The id that a request belongs to is *current* while its code runs. Code further down asks for it, so that it need
//! not be handed through every function:
//!
//! ```
//! use tracehub_client::correlation;
//!
//! fn deep_inside() -> String {
//!     correlation::current().map_or("no request".to_owned(), |id| format!("request {id}"))
//! }
//!
//! let scope = correlation::scope("c1");
//! assert_eq!(deep_inside(), "request c1");
//! drop(scope);
//! assert_eq!(deep_inside(), "no request");
//! ```
//!
//! | What runs | How it gets an id |
//! |---|---|
//! | plain code on one thread | [`scope`], until the guard is dropped |
//! | a future, also across `.await` and from thread to thread | [`with_correlation`] |
//! | a new tokio task | [`spawn`], with the id of who starts it |
//! | a closure for another thread | [`carry`], the same |
//! | a future for a `JoinSet`, a `LocalSet` or another runtime | [`carry_future`], the same |
//! | a server's handler | a layer of `tracehub_client::middleware`, or [`from_headers`] by hand |
//!
//! An id that code gives must have 1 to 256 bytes, as every id of an entry. Any other is not taken: a new id takes its
//! place, so that what runs under it is still kept together, and never mixed into another request's chain. None of
//! these functions panics because of an id.

mod context;
mod future;
mod header;
mod id;

pub use context::{Scope, carry, current, scope};
pub use future::{WithCorrelation, carry_future, spawn, with_correlation};
pub use header::{CORRELATION_HEADER, from_headers};
pub(crate) use id::random_bits;
pub use id::{new_id, valid_inbound};
