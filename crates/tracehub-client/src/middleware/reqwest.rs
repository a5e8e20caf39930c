//! The current correlation id on outgoing requests (feature `reqwest`).

use reqwest::RequestBuilder;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::correlation;

/// [`CORRELATION_HEADER`](correlation::CORRELATION_HEADER) as the name that it is on the wire.
const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");

/// Puts the current correlation id on a request.
pub trait CorrelationExt: sealed::Sealed {
    /// Sets `X-Correlation-ID` to the id that is current here, in place of one that the request has already.
    ///
    /// Does nothing if no id is current, or if the current one has characters that a header cannot carry.
    ///
    /// ```
    /// use tracehub_client::correlation;
    /// use tracehub_client::middleware::reqwest::CorrelationExt;
    ///
    /// let _scope = correlation::scope("c1");
    /// let request = reqwest::Client::new().get("http://127.0.0.1:8080/orders").with_correlation().build()?;
    /// assert_eq!(request.headers()["X-Correlation-ID"], "c1");
    /// # Ok::<(), reqwest::Error>(())
    /// ```
    #[must_use = "the request is not sent yet"]
    fn with_correlation(self) -> Self;
}

impl CorrelationExt for RequestBuilder {
    fn with_correlation(self) -> Self {
        let value = correlation::current().and_then(|id| HeaderValue::from_str(&id).ok());
        match value {
            // Unlike `header`, this replaces.
            Some(value) => self.headers(HeaderMap::from_iter([(CORRELATION, value)])),
            None => self,
        }
    }
}

/// So that methods can be added later.
mod sealed {
    pub trait Sealed {}

    impl Sealed for reqwest::RequestBuilder {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(request: RequestBuilder) -> Vec<String> {
        let request = request.with_correlation().build().unwrap();
        let values = request.headers().get_all(correlation::CORRELATION_HEADER).iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_current_id_goes_along_once_or_not_at_all() {
        let request = || reqwest::Client::new().get("http://127.0.0.1");
        assert!(sent(request()).is_empty());
        let _scope = correlation::scope("c1");
        assert_eq!(sent(request()), ["c1"]);
        assert_eq!(sent(request().header(correlation::CORRELATION_HEADER, "c0")), ["c1"]);
    }

    #[test]
    fn an_id_that_no_header_can_carry_does_not_break_the_request() {
        for id in ["a\r\nb", "é\u{0}"] {
            let _scope = correlation::scope(id);
            assert!(sent(reqwest::Client::new().get("http://127.0.0.1")).is_empty());
        }
    }
}
