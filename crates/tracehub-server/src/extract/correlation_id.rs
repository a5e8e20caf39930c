//! The correlation id in a path, decoded exactly: two ids never become one.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use percent_encoding::percent_decode_str;
use tracehub_core::entry::MAX_NAME_BYTES;
use tracehub_core::wire::error::FieldError;

use crate::error::ApiError;

/// The second segment of the path, percent-decoded. An id may hold anything, encoded slashes too.
#[derive(Debug)]
pub(crate) struct CorrelationId(pub(crate) String);

impl FromRequest for CorrelationId {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(decode(request.uri().path()))
    }
}

pub(crate) fn decode(path: &str) -> Result<CorrelationId, ApiError> {
    let segment = path.split('/').nth(2).unwrap_or_default();
    let id = percent_decode_str(segment)
        .decode_utf8()
        .map_err(|_| ApiError::BadRequest("the correlation id in the path is not UTF-8".to_owned()))?;
    let fault = |kind, msg: String| {
        ApiError::Invalid(vec![FieldError::new(kind, vec!["path".into(), "correlation_id".into()], msg)])
    };
    if id.contains('\0') {
        return Err(fault("string_unicode", "Input must not contain the character U+0000".to_owned()));
    }
    if id.len() > MAX_NAME_BYTES {
        return Err(fault("string_too_long", format!("Input must have at most {MAX_NAME_BYTES} bytes")));
    }
    Ok(CorrelationId(id.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_decoded_exactly_or_refused() {
        assert_eq!(decode("/traces/a%2Fb%20c%3Fd%23e%25f").unwrap().0, "a/b c?d#e%f");
        assert_eq!(decode("/traces/x%2Fstream/stream").unwrap().0, "x/stream");
        assert_eq!(decode("/traces/sp+ace").unwrap().0, "sp+ace");
        assert!(matches!(decode("/traces/%ff"), Err(ApiError::BadRequest(_))));
        assert!(matches!(decode("/traces/%00"), Err(ApiError::Invalid(_))));
        assert!(matches!(decode(&format!("/traces/{}", "x".repeat(257))), Err(ApiError::Invalid(_))));
    }
}
