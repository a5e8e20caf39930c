//! What both sides of the SDK know of HTTP: the base URL, the secret, the connection's settings, how refusals read.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Response, Url};
use serde::Deserialize;
use tracehub_core::wire::error::FieldError;

use crate::trust::Trust;

/// The header that carries the secret.
pub(crate) const SECRET_HEADER: &str = "X-TraceHub-Secret";

/// Idle connections are given up before common servers (actix-web and uvicorn: 5 s) close them, so that a request is
/// seldom sent into a connection that is already gone.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// The most characters of a server's refusal that are repeated.
const MAX_MESSAGE_CHARS: usize = 300;

/// What a server's address looks like.
pub(crate) const URL_FORM: &str =
    if cfg!(feature = "tls") { "http[s]://host[:port][/prefix]" } else { "http://host[:port][/prefix]" };

/// A server's address: [`URL_FORM`], without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl(String);

/// An address that cannot be used.
#[derive(Debug)]
pub(crate) struct UrlProblem {
    /// The address, without user name and password.
    pub(crate) url: String,
    /// What is wrong with it.
    pub(crate) reason: String,
}

impl BaseUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, UrlProblem> {
        let text = text.trim();
        let problem = |reason: &str| UrlProblem { url: without_credentials(text), reason: reason.to_owned() };
        let url = Url::parse(text).map_err(|err| problem(&err.to_string()))?;
        match url.scheme() {
            "http" => {}
            "https" if cfg!(feature = "tls") => {}
            "https" => {
                return Err(problem("must start with http:// (https needs the feature `tls` of tracehub-client)"));
            }
            _ if cfg!(feature = "tls") => return Err(problem("must start with http:// or https://")),
            _ => return Err(problem("must start with http://")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(problem("must not carry a user name or a password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(problem("must not have a query or a fragment"));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether what is sent there is encrypted.
    #[cfg(feature = "tls")]
    pub(crate) fn is_https(&self) -> bool {
        self.0.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
    }

    /// The address of a route; `path` starts with a slash.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

/// The address as it may be shown: what stands before an `@` could be a password.
fn without_credentials(text: &str) -> String {
    match (text.find("//"), text.rfind('@')) {
        (Some(slashes), Some(at)) if slashes < at => format!("{}//...{}", &text[..slashes], &text[at..]),
        (None, Some(at)) => format!("...{}", &text[at..]),
        _ => text.to_owned(),
    }
}

/// The shared secret. Its text is in no `Debug`, no log and no error.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The header's value; none if the text has characters that a header cannot carry.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&self.0).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(redacted)")
    }
}

/// A keep-alive HTTP client for one server, with the settings that both sides use.
///
/// It follows no redirects (one could carry the secret to another host) and uses no proxies of the environment (the
/// environment is read in one place, and a hub usually listens on the loopback or the local network).
pub(crate) fn client(base: &BaseUrl, trust: &Trust) -> Result<reqwest::Client, reqwest::Error> {
    trust
        .check(base, reqwest::Client::builder())
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .user_agent(concat!("tracehub-client/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// The innermost cause of a failed request, such as `Connection refused (os error 111)`.
pub(crate) fn reason(err: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = err;
    let mut source = err.source();
    while let Some(inner) = source {
        innermost = inner;
        source = inner.source();
    }
    innermost.to_string()
}

/// Reads an answer's body; none if it has more than `limit` bytes.
pub(crate) async fn read_body(mut response: Response, limit: usize) -> Result<Option<Vec<u8>>, reqwest::Error> {
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Ok(None);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// What a refusal's body says, as one short line without control characters.
pub(crate) fn refusal_message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Detail {
        Text(String),
        Fields(Vec<FieldError>),
    }
    #[derive(Deserialize)]
    struct Refusal {
        message: Option<String>,
        detail: Option<Detail>,
    }
    let said = match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal { message: Some(message), .. }) => message,
        Ok(Refusal { detail: Some(Detail::Text(text)), .. }) => text,
        Ok(Refusal { detail: Some(Detail::Fields(faults)), .. }) => FieldError::summary(&faults),
        _ => String::from_utf8_lossy(body).into_owned(),
    };
    said.chars().map(|character| if character.is_control() { ' ' } else { character }).take(MAX_MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_its_trailing_slash_and_keeps_its_prefix() {
        let url = BaseUrl::parse("http://hub:8099/traces/").unwrap();
        assert_eq!(url.as_str(), "http://hub:8099/traces");
        assert_eq!(url.join("/ingest"), "http://hub:8099/traces/ingest");
    }

    #[test]
    fn addresses_that_cannot_work_are_refused_without_their_password() {
        for (text, shown) in [
            ("localhost:8099", "localhost:8099"),
            ("ftp://hub", "ftp://hub"),
            ("http://", "http://"),
            ("http://me:pass@hub", "http://...@hub"),
            ("me:pass@hub", "...@hub"),
            ("http://hub?x=1", "http://hub?x=1"),
            ("http://hub#x", "http://hub#x"),
        ] {
            let problem = BaseUrl::parse(text).unwrap_err();
            assert_eq!(problem.url, shown, "{}", problem.reason);
        }
    }

    #[test]
    fn https_is_taken_where_it_is_built_in() {
        let parsed = BaseUrl::parse(" HTTPS://hub:8099/");
        #[cfg(feature = "tls")]
        assert!(parsed.unwrap().is_https());
        #[cfg(not(feature = "tls"))]
        assert!(parsed.unwrap_err().reason.contains("feature `tls`"));
    }

    #[test]
    fn a_secret_is_not_shown_and_must_fit_a_header() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "(redacted)");
        assert!(!format!("{:?}", secret.header()).contains("hunter2"));
        assert!(Secret::new("a\nb").header().is_none());
    }

    #[test]
    fn refusals_of_both_servers_read_as_one_line() {
        for (body, expected) in [
            (r#"{"error":"overloaded","message":"try later","retry_after":1}"#, "try later"),
            (r#"{"detail":"Not Found"}"#, "Not Found"),
            (
                r#"{"detail":[{"type":"missing","loc":["body","traces",0,"suffix"],"msg":"Field required","input":{}}]}"#,
                "body.traces[0].suffix: Field required",
            ),
            ("<html>\u{1b}[31m", "<html> [31m"),
        ] {
            assert_eq!(refusal_message(body.as_bytes()), expected);
        }
        assert_eq!(refusal_message(&[b'x'; 9_999]).len(), MAX_MESSAGE_CHARS);
    }
}
