//! What handlers take from a request, checked.

pub(crate) mod body;
pub(crate) mod correlation_id;
mod inflate;
pub(crate) mod known_tag;
pub(crate) mod query;
pub(crate) mod room;
