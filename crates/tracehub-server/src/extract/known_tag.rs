//! `If-None-Match`: whether the caller has what would be sent.

use actix_web::HttpRequest;
use actix_web::http::header::{EntityTag, Header as _, IF_NONE_MATCH, IfNoneMatch};

/// Whether the request names the tag, or any.
pub(crate) fn is_known(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        // A header that is not there reads as any, too.
        Ok(IfNoneMatch::Any) => request.headers().contains_key(IF_NONE_MATCH),
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(tag)),
        Err(_) => false,
    }
}
