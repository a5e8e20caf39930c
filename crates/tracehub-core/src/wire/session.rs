//! What the page sends to sign in.

use std::fmt;

use serde::Deserialize;

use super::error::FieldError;

/// The most bytes of such a body: room for any secret, and nothing to fill a server's memory with.
pub const MAX_LOGIN_BYTES: usize = 4 << 10;

/// The body of `POST /login`.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LoginRequest {
    /// As typed.
    pub secret: String,
}

impl LoginRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// The fault. It repeats nothing of the body, which may hold a secret in the wrong place.
    pub fn parse(body: &[u8]) -> Result<Self, FieldError> {
        serde_json::from_slice(body).map_err(|err| {
            if err.is_data() {
                let location = vec!["body".into(), "secret".into()];
                return FieldError::new("string_type", location, "Input should be an object with the text `secret`");
            }
            FieldError::new("json_invalid", vec!["body".into(), err.column().into()], "JSON decode error")
        })
    }
}

impl fmt::Debug for LoginRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LoginRequest(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_and_never_repeated() {
        let login = LoginRequest::parse(br#"{"secret": "hunter-2-is-long", "more": 1}"#).unwrap();
        assert_eq!((login.secret.as_str(), format!("{login:?}").contains("hunter")), ("hunter-2-is-long", false));
        for body in ["", "{}", r#"{"secret": 5}"#, r#"{"hunter-2": "#, r#""hunter-2""#, "null"] {
            let fault = LoginRequest::parse(body.as_bytes()).unwrap_err();
            assert!(!fault.to_string().contains("hunter"), "{body}: {fault}");
        }
    }
}
