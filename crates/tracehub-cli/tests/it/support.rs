//! A scripted server on a free port, and the binary run against it with a clean environment.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

/// An answer: the path's beginning, the status, the content type and the body.
pub(crate) type Answer = (&'static str, u16, &'static str, String);

/// A server that gives the same answers for ever. Its thread ends with the test process.
pub(crate) struct Server {
    pub(crate) url: String,
    /// The request lines and `X-TraceHub-Secret` headers that came, in order.
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn answering(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.expect("a connection");
                let mut lines = BufReader::new(connection.try_clone().expect("a second handle")).lines();
                let request = lines.next().and_then(Result::ok).unwrap_or_default();
                let headers: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                let secret =
                    headers.into_iter().filter(|line| line.to_ascii_lowercase().starts_with("x-tracehub-secret"));
                log.lock().expect("the log").extend(std::iter::once(request.clone()).chain(secret));
                let path = request.split(' ').nth(1).unwrap_or_default();
                let answer = answers.iter().find(|(start, ..)| path.starts_with(start));
                let (status, kind, body) =
                    answer.map_or((404, "application/json", "{}"), |(_, status, kind, body)| (*status, kind, body));
                // The client may have gone away on purpose.
                let _ = write!(
                    connection,
                    "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { url, seen }
    }

    pub(crate) fn json(path: &'static str, status: u16, body: &str) -> Self {
        Self::answering(vec![(path, status, "application/json", body.to_owned())])
    }
}

/// The binary with an environment of nothing but what is given.
pub(crate) fn cli(url: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracehub-cli"));
    command.env_clear().env("TRACEHUB_URL", url).env("TZ", "UTC").stdin(Stdio::null()).args(args);
    command
}

/// Exit code, standard output and standard error.
pub(crate) fn run(url: &str, args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = cli(url, args).output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

/// The JSON of an entry.
pub(crate) fn entry(direction: &str, suffix: &str, timestamp: f64) -> String {
    format!(
        r#"{{"source_id":"MA","correlation_id":"c1","timestamp":{timestamp:?},"suffix":"{suffix}","direction":"{direction}","operation":"REST","endpoint":"/orders","data":{{"big":123456789012345678901234567890}},"hostname":"web","raw_line":null}}"#
    )
}

/// The JSON of a chain.
pub(crate) fn chain(entries: &[String], complete: bool) -> String {
    let (traces, count) = (entries.join(","), entries.len());
    format!(r#"{{"correlation_id":"c1","traces":[{traces}],"count":{count},"complete":{complete}}}"#)
}
