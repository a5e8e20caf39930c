//! `tracehub-server healthcheck`: one question over plain HTTP, for containers that have no curl.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use actix_web::http::Uri;

use crate::args::Args;
use crate::config::{self, ConfigError};

/// How long all of it may take: less than what supervisors allow, so that the reason is told.
const PATIENCE: Duration = Duration::from_secs(5);
/// Far more than the answer has.
const MOST_BYTES: u64 = 64 << 10;

/// Why the server is not well, or was not asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HealthcheckError {
    /// The address cannot be asked.
    #[error("--url {url:?} cannot be asked: {reason}")]
    Url {
        /// As given, or as put together.
        url: String,
        /// Why.
        reason: &'static str,
    },
    /// The address of the server is not one.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nothing came back.
    #[error("no answer from {url}")]
    Silent {
        /// What was asked.
        url: String,
        /// Why.
        source: io::Error,
    },
    /// The server answers, and not with 200.
    #[error("{url} answers {answer}")]
    Unwell {
        /// What was asked.
        url: String,
        /// The status, and what was said with it.
        answer: String,
    },
}

/// Asks `url`, or the server that these arguments would start, whether it is ready.
///
/// # Errors
/// It is not, or did not say.
pub fn check(args: &Args, url: Option<&str>) -> Result<(), HealthcheckError> {
    let url = match url {
        Some(url) => url.to_owned(),
        None => own_url(args)?,
    };
    let bad = |reason| HealthcheckError::Url { url: url.clone(), reason };
    let parsed: Uri = url.parse().map_err(|_| bad("it is not a URL"))?;
    if parsed.scheme_str() != Some("http") {
        return Err(bad("it does not begin with http://"));
    }
    let authority = parsed.authority().ok_or_else(|| bad("it names no host"))?;
    let target = (authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80));
    let path = parsed.path_and_query().map_or("/", |path| path.as_str());
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    let answer = ask(target, &request).map_err(|source| HealthcheckError::Silent { url: url.clone(), source })?;
    if answer.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    Err(HealthcheckError::Unwell { url, answer: summary(&answer) })
}

/// `/readyz` of the server that these arguments would start, as this machine reaches it.
fn own_url(args: &Args) -> Result<String, HealthcheckError> {
    let mut address = config::resolve_address(&args.host, args.port)?;
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let url = format!("http://{address}/readyz");
    if args.port == 0 {
        return Err(HealthcheckError::Url { url, reason: "a server that took a free port must be named" });
    }
    if args.tls_cert.is_some() {
        return Err(HealthcheckError::Url { url, reason: "the server speaks TLS, and this check does not" });
    }
    Ok(url)
}

/// Sends a request and gives what comes back. Every wait is bounded, and all of them together.
fn ask(target: (&str, u16), request: &str) -> io::Result<String> {
    let deadline = Instant::now() + PATIENCE;
    let late = || io::Error::new(io::ErrorKind::TimedOut, "it took too long");
    let left = || deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()).ok_or_else(late);
    let address = target.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&address, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while (answer.len() as u64) < MOST_BYTES {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&part[..length]),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Err(late()),
            Err(err) => return Err(err),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The status and the body, on one line.
fn summary(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.lines().next().unwrap_or_default();
    let status = status.split_once(' ').map_or("no HTTP", |(_, status)| status);
    format!("{} {}", status.trim(), body.trim()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn the_servers_own_address_is_found() {
        let url = |args: &[&str]| own_url(&Args::parse_from([&["tracehub-server"], args].concat()));
        assert_eq!(url(&["--port", "1"]).unwrap(), "http://127.0.0.1:1/readyz");
        assert_eq!(url(&["--port", "1", "--host", "0.0.0.0"]).unwrap(), "http://127.0.0.1:1/readyz");
        assert_eq!(url(&["--port", "1", "--host", "[::]"]).unwrap(), "http://[::1]:1/readyz");
        assert!(url(&["--port", "0"]).is_err());
        assert!(url(&["--port", "1", "--tls-cert", "c", "--tls-key", "k"]).is_err());
    }

    #[test]
    fn an_answer_is_told_on_one_line() {
        assert_eq!(
            summary("HTTP/1.1 503 Service Unavailable\r\na: b\r\n\r\n{\"x\":1}\n"),
            "503 Service Unavailable {\"x\":1}"
        );
        assert_eq!(summary("SSH-2.0-x\r\n"), "no HTTP");
        assert_eq!(summary(""), "no HTTP");
    }
}
