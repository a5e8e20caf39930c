//! What every server with one of the middlewares must do; each one's own file runs it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracehub_client::correlation::{current, valid_inbound};
use tracehub_client::{CheckpointLogger, FlushOutcome};

use crate::support::{LONG, Server, client};

/// The current id as text; empty if there is none.
pub(super) fn here() -> String {
    current().map_or_else(String::new, |id| id.to_string())
}

/// A server under test, with the routes `GET /orders/{id}` (answers with the current id), `/fails` (status 500),
/// `/panics` and `/hangs`.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) stop: Option<Box<dyn FnOnce()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
    }
}

/// What `/panics` does; unlike `panic!`, it does not print.
pub(super) fn panics() -> String {
    resume_unwind(Box::new("a fault of the host"))
}

/// What `/hangs` does: nothing, once it has said that it started.
pub(super) async fn hangs(started: Sender<String>) -> String {
    started.send(here()).expect("the test listens");
    std::future::pending().await
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The values of `X-Correlation-ID`.
    pub(super) ids: Vec<String>,
    pub(super) body: String,
}

pub(super) fn send(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> TcpStream {
    let headers: String = headers.iter().flat_map(|(name, value)| [*name, ": ", *value, "\r\n"]).collect();
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
    let mut connection = TcpStream::connect(address).expect("the server listens");
    connection.set_read_timeout(Some(LONG)).expect("not zero");
    connection.write_all(request.as_bytes()).expect("the server reads");
    connection
}

/// None if the connection ends without an answer.
pub(super) fn receive(mut connection: TcpStream) -> Option<Answer> {
    let mut text = String::new();
    // A reset tells the same as an end.
    let _ = connection.read_to_string(&mut text);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let (first, headers) = head.split_once("\r\n")?;
    let status = first.split(' ').nth(1)?.parse().ok()?;
    let headers = headers.lines().filter_map(|line| line.split_once(": "));
    let ids = headers.filter(|(name, _)| name.eq_ignore_ascii_case("x-correlation-id"));
    let ids = ids.map(|(_, value)| value.to_owned()).collect();
    Some(Answer { status, ids, body: body.to_owned() })
}

pub(super) fn ask(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    receive(send(address, path, headers)).expect("the server answers")
}

/// The first valid header is the id; it is current in the handler and stands in the answer.
pub(super) fn takes_and_echoes_the_id(server: &Running) {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let trace = ("traceparent", trace);
    for (headers, expected) in [
        (&[trace, ("x-request-id", "r1"), ("X-CORRELATION-ID", "c1")][..], "c1"),
        (&[trace, ("X-Request-ID", "r1")], "r1"),
        (&[("X-Correlation-ID", "<script>"), ("X-Request-ID", "r1")], "r1"),
        (&[("X-Correlation-ID", ""), trace], "4bf92f3577b34da6a3ce929d0e0e4736"),
    ] {
        let answer = ask(server.address, "/orders/17", headers);
        assert_eq!((answer.status, &*answer.body, answer.ids), (200, expected, vec![expected.to_owned()]));
    }
}

/// Without a valid id the request gets a new one, and nothing hostile comes back.
pub(super) fn replaces_hostile_ids(server: &Running) {
    let long = "x".repeat(129);
    for hostile in ["<script>", "a b", "a,b", "{{7*7}}", "../../etc", "\u{e9}", "a\tb", "'; DROP TABLE", &long] {
        let first = ask(server.address, "/orders/17", &[("X-Correlation-ID", hostile)]);
        let second = ask(server.address, "/orders/17", &[("X-Correlation-ID", hostile)]);
        for answer in [&first, &second] {
            assert_eq!(answer.ids, [answer.body.as_str()], "{hostile}");
            assert!(answer.body.len() == 32 && valid_inbound(&answer.body), "{hostile}: {answer:?}");
        }
        assert_ne!(first.body, second.body);
    }
}

/// The id comes back on answers that are no success, too.
pub(super) fn echoes_on_errors(server: &Running) {
    for (path, status) in [("/nowhere", 404), ("/fails", 500)] {
        let answer = ask(server.address, path, &[("X-Correlation-ID", "c1")]);
        assert_eq!((answer.status, answer.ids), (status, vec!["c1".to_owned()]), "{path}");
    }
}

/// A hub and a logger that sends to it.
pub(super) fn hub() -> (Server, CheckpointLogger) {
    let hub = Server::storing();
    let logger = CheckpointLogger::new(client(&hub), "MA");
    (hub, logger)
}

/// Waits until the hub has so many entries; then their ids, directions, operations, endpoints and data.
pub(super) fn checkpoints(hub: &Server, logger: &CheckpointLogger, count: usize) -> Vec<Value> {
    let start = Instant::now();
    loop {
        assert_eq!(logger.client().flush(LONG), FlushOutcome::Complete);
        let bodies = hub.requests().into_iter().map(|request| request.body);
        let entries: Vec<Value> = bodies
            .flat_map(|body| {
                let mut body: Value = serde_json::from_slice(&body).expect("a body is JSON");
                body["traces"].as_array_mut().map(std::mem::take).unwrap_or_default()
            })
            .collect();
        if entries.len() >= count {
            let fields = ["correlation_id", "direction", "operation", "endpoint", "data"];
            return entries.iter().map(|entry| json!(fields.map(|field| &entry[field]))).collect();
        }
        assert!(start.elapsed() < LONG, "only {entries:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Both checkpoints of a request.
pub(super) fn pair(id: &str, endpoint: &str, data: &Value) -> [Value; 2] {
    [json!([id, "->", "REST", endpoint, null]), json!([id, "<-", "REST", endpoint, data])]
}

/// `order` is the endpoint of `/orders/17`.
pub(super) fn answers_are_pairs_of_checkpoints(server: &Running, hub: &Server, logger: &CheckpointLogger, order: &str) {
    let long = format!("/{}", "x".repeat(3_000));
    let expected: Vec<Value> = [
        ("/orders/17?secret=1", order, 200),
        ("/fails", "/fails", 500),
        ("/nowhere", "/nowhere", 404),
        (&long, &long[..2_048], 404),
    ]
    .into_iter()
    .flat_map(|(path, endpoint, status)| {
        assert_eq!(ask(server.address, path, &[("X-Correlation-ID", "c1")]).status, status);
        pair("c1", endpoint, &json!({ "status": status }))
    })
    .collect();
    assert_eq!(checkpoints(hub, logger, expected.len()), expected);
}

pub(super) fn a_panic_is_told(server: &Running, hub: &Server, logger: &CheckpointLogger) {
    let answer = receive(send(server.address, "/panics", &[("X-Correlation-ID", "c1")]));
    assert!(answer.is_none(), "{answer:?}");
    assert_eq!(checkpoints(hub, logger, 2), pair("c1", "/panics", &json!({"panicked": true})));
    assert_eq!(ask(server.address, "/orders/1", &[]).status, 200, "the server lives on");
}

pub(super) fn a_client_that_goes_is_told(
    server: &Running,
    started: &Receiver<String>,
    hub: &Server,
    logger: &CheckpointLogger,
) {
    let connection = send(server.address, "/hangs", &[("X-Correlation-ID", "c1")]);
    assert_eq!(started.recv_timeout(LONG).expect("the handler starts"), "c1");
    drop(connection);
    assert_eq!(checkpoints(hub, logger, 2), pair("c1", "/hangs", &json!({"cancelled": true})));
}
