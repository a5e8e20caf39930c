//! Correlation ids in and out of other people's HTTP stacks, one module and one cargo feature for each.
//!
//! | Feature | Module | What it does |
//! |---|---|---|
//! | `actix-web` | `actix` | every request to an actix-web server runs with its id |
//! | `tower` | `tower` | the same for axum and whatever else is built on tower |
//! | `reqwest` | `reqwest` | the current id goes along with an outgoing request |
//!
//! The two for servers do the same: the id comes from the request's headers, as
//! [`from_headers`](crate::correlation::from_headers) tells; it is current while the handler runs; it stands in the
//! answer's `X-Correlation-ID`, whatever the answer is. With a [`CheckpointLogger`](crate::CheckpointLogger), every
//! request also becomes a pair of checkpoints with the operation `REST`. What the leave says:
//!
//! | Data | Meaning |
//! |---|---|
//! | `{"status": 200}` | the handler answered; a streamed body may still follow |
//! | `{"failed": true}` | there is no answer: the service inside failed (`tower` only) |
//! | `{"cancelled": true}` | the request was given up before its answer; the client has gone |
//! | `{"panicked": true}` | the handler panicked |
//!
//! A body that is produced while it is sent runs outside of the handler, so without the id. Give it one with
//! [`carry_future`](crate::correlation::carry_future), or hand the id over.

#[cfg(feature = "actix-web")]
pub mod actix;
#[cfg(any(feature = "actix-web", feature = "tower"))]
mod request;
#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "tower")]
pub mod tower;
