//! One HTTP request on a connection of its own: enough for a driver and a server on this machine.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer may take. A page that loads counts, and a machine may be busy with other tests.
const TIMEOUT: Duration = Duration::from_mins(1);

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, such as 200.
    pub status: u16,
    /// The body as text.
    pub body: String,
}

/// Sends a request to `address` (`127.0.0.1:80`), with a JSON body if there is one, and waits for the answer.
///
/// # Errors
/// The connection's, or that what came back is no HTTP.
pub fn request(address: &str, method: &str, path: &str, body: Option<&str>) -> io::Result<Answer> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    let body = body.unwrap_or_default();
    write!(
        connection,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = connection.read(&mut buffer)?;
        answer.extend_from_slice(&buffer[..length]);
        // chromedriver keeps the connection open whatever it is asked.
        if length == 0 || is_whole(&answer) {
            break;
        }
    }
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("no HTTP came back"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("no HTTP status came back"))?;
    Ok(Answer { status, body: body.to_owned() })
}

/// Whether the body has the length that the head announces.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    length.is_some_and(|length: usize| answer.len() >= end + 4 + length)
}
