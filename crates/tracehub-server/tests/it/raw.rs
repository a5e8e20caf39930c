//! Bytes on a socket, for what no HTTP client would send.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::Server;

/// How long an answer may take: more than any deadline of the server.
const PATIENCE: Duration = Duration::from_secs(25);

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

pub(crate) async fn connect(server: &Server) -> TcpStream {
    let address = server.url.split_once("://").expect("a URL").1;
    TcpStream::connect(address).await.expect("the server listens")
}

/// Sends bytes on a connection of their own; gives the answer.
pub(crate) async fn exchange(server: &Server, bytes: &[u8]) -> Answer {
    let mut stream = connect(server).await;
    // The server may have answered and stopped reading before all of it is sent.
    let _ = stream.write_all(bytes).await;
    answer(&mut stream).await.expect("an answer")
}

/// The next answer on a connection; none if it ends without one.
pub(crate) async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<Answer> {
    tokio::time::timeout(PATIENCE, read(stream)).await.expect("an answer, or the end, in time")
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Answer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
        if head == b"HTTP/1.1 100 Continue\r\n\r\n" {
            head.clear();
        }
    }
    let head = String::from_utf8(head).expect("a head is text");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| {
        length.parse().expect("a number") // Every answer that is looked at here has a length, or no body.
    });
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.expect("the whole body");
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Some(Answer { status, head, body })
}

/// Whether the other side ends the connection, with an end or a reset.
pub(crate) async fn ends(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.is_ok()
}
