//! The query string: parameters by name, the last of a name wins, unknown ones are passed over, as in the original.

use std::future::{Ready, ready};
use std::ops::RangeInclusive;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use percent_encoding::percent_decode_str;
use tracehub_core::query::PlaceFilter;
use tracehub_core::wire::error::FieldError;

use crate::error::ApiError;

/// The parameters of a request, decoded.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl FromRequest for Query {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::parse(request.query_string()))
    }
}

impl Query {
    pub(crate) fn parse(query: &str) -> Result<Self, ApiError> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }

    /// The value of a parameter, if it is there and not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.last(name).filter(|value| !value.is_empty())
    }

    /// The value of a parameter that must be there and not be empty.
    pub(crate) fn required(&self, name: &'static str) -> Result<&str, ApiError> {
        self.text(name).ok_or_else(|| fault("missing", name, "Field required".to_owned()))
    }

    /// Where entries are to have been logged: `source`, `endpoint`, `host`, `operation`.
    pub(crate) fn place(&self) -> PlaceFilter {
        let text = |name| self.text(name).map(str::to_owned);
        PlaceFilter {
            source_id: text("source"),
            endpoint: text("endpoint"),
            hostname: text("host"),
            operation: text("operation"),
        }
    }

    /// One of a few words, if the parameter is there and not empty.
    pub(crate) fn one_of(&self, name: &'static str, words: &[&str]) -> Result<Option<&str>, ApiError> {
        match self.text(name) {
            Some(text) if !words.contains(&text) => {
                Err(fault("enum", name, format!("Input should be {}", words.join(" or "))))
            }
            text => Ok(text),
        }
    }

    /// A whole number in a range; `default` if the parameter is not there.
    pub(crate) fn integer(
        &self,
        name: &'static str,
        default: i64,
        range: RangeInclusive<i64>,
    ) -> Result<i64, ApiError> {
        Ok(self.optional_integer(name, range)?.unwrap_or(default))
    }

    /// A whole number in a range, if the parameter is there.
    pub(crate) fn optional_integer(
        &self,
        name: &'static str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.last(name) else { return Ok(None) };
        let Some(value) = parse_integer(text) else {
            return Err(fault("int_parsing", name, "Input should be a valid integer".to_owned()));
        };
        if value < *range.start() {
            let msg = format!("Input should be greater than or equal to {}", range.start());
            return Err(fault("greater_than_equal", name, msg));
        }
        if value > *range.end() {
            return Err(fault(
                "less_than_equal",
                name,
                format!("Input should be less than or equal to {}", range.end()),
            ));
        }
        Ok(Some(value))
    }

    /// A finite number, if the parameter is there.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<f64>, ApiError> {
        let Some(text) = self.last(name) else { return Ok(None) };
        match text.trim().parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Some(value)),
            _ => Err(fault("float_parsing", name, "Input should be a valid number".to_owned())),
        }
    }

    /// A time in Unix ms as the whole seconds in which arrival is counted, if the parameter is there.
    #[expect(clippy::cast_possible_truncation, reason = "beyond i64 it saturates: before or after everything")]
    pub(crate) fn whole_seconds(&self, name: &'static str) -> Result<Option<i64>, ApiError> {
        Ok(self.number(name)?.map(|unix_ms| (unix_ms / 1000.0).floor() as i64))
    }

    fn last(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

fn decode(text: &str) -> Result<String, ApiError> {
    percent_decode_str(&text.replace('+', " "))
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| ApiError::BadRequest("the query string is not UTF-8".to_owned()))
}

/// The original takes `2`, `+2`, `" 2 "` and `2.0`.
fn parse_integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    whole.parse().ok()
}

fn fault(kind: &'static str, name: &'static str, msg: String) -> ApiError {
    ApiError::Invalid(vec![FieldError::new(kind, vec!["query".into(), name.into()], msg)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(query: &str) -> Option<i64> {
        Query::parse(query).unwrap().integer("limit", 50, 0..=10_000).ok()
    }

    #[test]
    fn integers_as_the_original_takes_them() {
        for (query, expected) in [
            ("", Some(50)),
            ("limit=3", Some(3)),
            ("limit=2.0", Some(2)),
            ("limit=%2B2", Some(2)),
            ("limit=1&limit=2&other=9", Some(2)),
            ("limit=0", Some(0)),
            ("limit=", None),
            ("limit", None),
            ("limit=abc", None),
            ("limit=1.5", None),
            ("limit=-1", None),
            ("limit=10001", None),
            ("limit=9223372036854775808", None),
        ] {
            assert_eq!(limit(query), expected, "{query}");
        }
    }

    #[test]
    fn an_empty_text_is_none_and_the_last_wins() {
        let query = Query::parse("source=MA&source=W+K%21&empty=").unwrap();
        assert_eq!((query.text("source"), query.text("empty"), query.text("none")), (Some("W K!"), None, None));
        assert!(Query::parse("source=%ff").is_err());
    }

    #[test]
    fn numbers_are_finite() {
        let query = Query::parse("since_ts=20.5&bad=inf").unwrap();
        assert_eq!(query.number("since_ts").unwrap(), Some(20.5));
        assert!(query.number("bad").is_err());
    }
}
