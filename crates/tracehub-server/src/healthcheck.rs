//! `tracehub-server healthcheck`: one question over HTTP or HTTPS, for containers that have no curl.

mod tls;

use std::io::{self, Read, Write};
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
    let is_https = match parsed.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(bad("it does not begin with http:// or https://")),
    };
    let authority = parsed.authority().ok_or_else(|| bad("it names no host"))?;
    let host = authority.host().trim_matches(['[', ']']);
    let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let path = parsed.path_and_query().map_or("/", |path| path.as_str());
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    let answer = connect(host, port).and_then(|connection| {
        if is_https { ask(&mut tls::encrypt(host, connection)?, &request) } else { ask(&mut { connection }, &request) }
    });
    let answer = answer.map_err(|source| HealthcheckError::Silent { url: url.clone(), source })?;
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
    let scheme = if args.tls_cert.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}/readyz");
    if args.port == 0 {
        return Err(HealthcheckError::Url { url, reason: "a server that took a free port must be named" });
    }
    Ok(url)
}

/// A connection whose waits are bounded, all of them together.
struct Hurried {
    stream: TcpStream,
    deadline: Instant,
}

fn connect(host: &str, port: u16) -> io::Result<Hurried> {
    let deadline = Instant::now() + PATIENCE;
    let address = (host, port).to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    Ok(Hurried { stream: TcpStream::connect_timeout(&address, left(deadline)?)?, deadline })
}

fn left(deadline: Instant) -> io::Result<Duration> {
    deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()).ok_or_else(late)
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it took too long")
}

impl Read for Hurried {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        self.stream.read(into).map_err(|err| if err.kind() == io::ErrorKind::WouldBlock { late() } else { err })
    }
}

impl Write for Hurried {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write(bytes).map_err(|err| if err.kind() == io::ErrorKind::WouldBlock { late() } else { err })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Sends a request and gives what comes back until the other side ends.
fn ask(connection: &mut (impl Read + Write), request: &str) -> io::Result<String> {
    connection.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    match connection.take(MOST_BYTES).read_to_end(&mut answer) {
        // Whoever has answered may end TLS without a word.
        Err(err) if answer.is_empty() || err.kind() != io::ErrorKind::UnexpectedEof => return Err(err),
        _ => {}
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
        let encrypted = url(&["--port", "1", "--tls-cert", "c", "--tls-key", "k"]);
        assert_eq!(encrypted.unwrap(), "https://127.0.0.1:1/readyz");
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
