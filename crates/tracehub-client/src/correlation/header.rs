//! The headers that bring an id into a service.

use super::id::{new_id, valid_inbound};

/// The header that carries the correlation id from service to service.
pub const CORRELATION_HEADER: &str = "X-Correlation-ID";

/// What other systems call it.
const REQUEST_ID_HEADER: &str = "X-Request-ID";

/// The W3C's trace context; its trace id serves as the correlation id.
const TRACEPARENT_HEADER: &str = "traceparent";

/// The correlation id of an incoming request; `lookup` gives a header's value by its name.
///
/// In this order: `X-Correlation-ID`, `X-Request-ID`, the trace id of a W3C `traceparent`. The first value that
/// [`valid_inbound`] takes is the id. If there is none, the id is new.
///
/// Names of headers have no case: `lookup` must not tell `X-Request-ID` from `x-request-id`.
///
/// ```
/// use std::collections::HashMap;
/// use tracehub_client::correlation;
///
/// let headers = HashMap::from([("x-correlation-id", "not valid!"), ("x-request-id", "r1")]);
/// let id = correlation::from_headers(|name| headers.get(name.to_lowercase().as_str()));
/// assert_eq!(id, "r1");
/// ```
pub fn from_headers<V: AsRef<str>>(mut lookup: impl FnMut(&str) -> Option<V>) -> String {
    for name in [CORRELATION_HEADER, REQUEST_ID_HEADER] {
        if let Some(id) = lookup(name).filter(|id| valid_inbound(id.as_ref())) {
            return id.as_ref().to_owned();
        }
    }
    let traceparent = lookup(TRACEPARENT_HEADER);
    let trace_id = traceparent.as_ref().and_then(|value| trace_id(value.as_ref()));
    trace_id.map_or_else(new_id, str::to_owned)
}

/// The trace id of `version-trace-parent-flags`, such as `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let [version, trace, parent, flags] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let is_hex =
        |part: &str, digits| part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_set = |part: &str| part.bytes().any(|byte| byte != b'0');
    let holds = parts.next().is_none()
        && is_hex(version, 2)
        && version != "ff"
        && is_hex(trace, 32)
        && is_set(trace)
        && is_hex(parent, 16)
        && is_set(parent)
        && is_hex(flags, 2);
    holds.then_some(trace)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn id_of(headers: &[(&str, &str)]) -> String {
        from_headers(|name| headers.iter().find(|(header, _)| *header == name).map(|(_, value)| *value))
    }

    #[test]
    fn the_first_valid_header_in_their_order_wins() {
        let (correlation, request, trace) =
            ((CORRELATION_HEADER, "c1"), (REQUEST_ID_HEADER, "r1"), (TRACEPARENT_HEADER, TRACEPARENT));
        assert_eq!(id_of(&[trace, request, correlation]), "c1");
        assert_eq!(id_of(&[trace, request]), "r1");
        assert_eq!(id_of(&[trace]), TRACE);
        let hostile = (CORRELATION_HEADER, "c1\r\nSet-Cookie: a=b");
        assert_eq!(id_of(&[hostile, request]), "r1");
        assert_eq!(id_of(&[hostile, (REQUEST_ID_HEADER, ""), trace]), TRACE);
    }

    #[test]
    fn without_a_valid_header_the_id_is_new() {
        let long = "x".repeat(129);
        for headers in [&[][..], &[(CORRELATION_HEADER, "a b"), (REQUEST_ID_HEADER, &long), (TRACEPARENT_HEADER, "c")]]
        {
            let (first, second) = (id_of(headers), id_of(headers));
            assert!(first.len() == 32 && valid_inbound(&first), "{first}");
            assert_ne!(first, second);
        }
    }

    #[test]
    fn a_traceparent_must_have_the_exact_shape() {
        assert_eq!(trace_id(TRACEPARENT), Some(TRACE));
        assert_eq!(trace_id(&TRACEPARENT.replacen("00", "fe", 1)), Some(TRACE));
        for broken in [
            String::new(),
            TRACE.to_owned(),
            TRACEPARENT.to_uppercase(),
            TRACEPARENT.replacen("00", "ff", 1),
            TRACEPARENT.replacen("00", "0", 1),
            TRACEPARENT.replacen("00", "0g", 1),
            TRACEPARENT.replace(TRACE, &"0".repeat(32)),
            TRACEPARENT.replace(TRACE, &TRACE[1..]),
            TRACEPARENT.replace("00f067aa0ba902b7", "0000000000000000"),
            TRACEPARENT.replace('-', "_"),
            TRACEPARENT.replace("-01", ""),
            TRACEPARENT.replace("-01", "-1"),
            format!("{TRACEPARENT}-"),
            format!("{TRACEPARENT}-00"),
            format!(" {TRACEPARENT}"),
        ] {
            assert_eq!(trace_id(&broken), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_in_the_id_is_valid(values in proptest::array::uniform3(proptest::option::of(".*"))) {
            let names = [CORRELATION_HEADER, REQUEST_ID_HEADER, TRACEPARENT_HEADER];
            let id = from_headers(|name| {
                let place = names.iter().position(|known| *known == name)?;
                values[place].clone()
            });
            prop_assert!(valid_inbound(&id), "{id:?}");
        }
    }
}
