//! A server process of its own for each test, and short ways to talk to it.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::description::{Answer, Description};

/// How long a server may take to start or stop before the test fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running `tracehub-server` with a database in a folder of its own. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    stderr: Option<BufReader<ChildStderr>>,
    pub(crate) url: String,
    pub(crate) folder: TempDir,
    client: Client,
}

/// The server's command with a clean environment and a free port. `TRACEHUB_TEST_SERVER` names another program than the
/// one that was built with the tests: what is measured is measured in release mode.
pub(crate) fn command(database: &std::path::Path) -> Command {
    let program = std::env::var_os("TRACEHUB_TEST_SERVER");
    let mut command = Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_tracehub-server").into()));
    command.env_clear().env("TRACEHUB_DB", database).env("TRACEHUB_PORT", "0").stdin(Stdio::null());
    command
}

impl Server {
    /// Starts a server on a new database.
    pub(crate) fn start() -> Self {
        Self::start_in(tempfile::tempdir().expect("a temporary folder"), &[])
    }

    /// Starts a server on the database of a folder, new or old.
    pub(crate) fn start_in(folder: TempDir, args: &[&str]) -> Self {
        let mut command = command(&folder.path().join("tracehub.db"));
        command.args(args);
        Self::spawn(folder, &mut command)
    }

    /// Starts a command that becomes a server with its database in the folder.
    pub(crate) fn spawn(folder: TempDir, command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the server starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("standard error is piped"));
        let mut said = String::new();
        let url = loop {
            let mut line = String::new();
            let length = stderr.read_line(&mut line).expect("the server's log is text");
            assert!(length > 0, "the server ended before it listened: {said}");
            said.push_str(&line);
            if let Some((_, rest)) = line.split_once("listening on ") {
                // Followed by the other fields, or in JSON by the end of the text.
                break rest.split([' ', '\n', '"']).next().expect("an address").to_owned();
            }
        };
        // A redirect is an answer to look at, not to follow.
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { child, stderr: Some(stderr), url, folder, client }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("tracehub.db")
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path)).await
    }

    /// Posts a body as JSON.
    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        answer(self.request(Method::POST, path).header("content-type", "application/json").body(body)).await
    }

    /// Posts entries and expects all of them to be new.
    pub(crate) async fn ingest(&self, entries: &[Value]) {
        let (status, answer) = self.post("/ingest", json!({ "traces": entries }).to_string()).await;
        assert_eq!((status, &answer["inserted"]), (200, &json!(entries.len())), "{answer}");
    }

    /// Opens a stream.
    pub(crate) async fn stream(&self, path: &str) -> EventStream {
        let response = self.request(Method::GET, path).send().await.expect("the stream opens");
        assert_eq!(response.status(), 200);
        EventStream { response, rest: String::new() }
    }

    /// Asks the server to stop, as a supervisor would.
    pub(crate) fn terminate(&self) {
        signal(&self.child, "TERM");
    }

    /// Ends the process without a chance to finish anything.
    pub(crate) fn kill_now(&self) {
        signal(&self.child, "KILL");
    }

    /// Ends the process without a chance to finish anything; gives the folder to start again in.
    pub(crate) fn kill(mut self) -> TempDir {
        self.child.kill().expect("the server is killed");
        self.child.wait().expect("the server is gone");
        std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a temporary folder"))
    }

    /// Waits for the end; gives the exit status and what was logged since the start.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the server can be waited for") {
                break status;
            }
            assert!(Instant::now() < deadline, "the server did not stop");
            std::thread::sleep(Duration::from_millis(10));
        };
        let log = self.stderr.take().map(std::io::read_to_string);
        (status, log.and_then(Result::ok).unwrap_or_default())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only a test that failed, or has no more questions, leaves it running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by name. A process of the system does it, because this workspace forbids unsafe code.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
}

/// Status and JSON body; a body that is no JSON is given as a string. The answer must be as the server describes it.
pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let (client, request) = request.build_split();
    let request = request.expect("a request");
    let method = request.method().clone();
    let response = client.execute(request).await.expect("the server answers");
    let (status, url) = (response.status(), response.url().clone());
    let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let text = response.text().await.expect("the answer is text");
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    if let Some(description) = Description::get(&url.origin().ascii_serialization()).await {
        let (path, content_type) = (url.path(), &*content_type);
        description.check(&Answer { method: &method, path, status, content_type, body: &body });
    }
    (status.as_u16(), body)
}

/// A stream of server-sent events, read block by block.
pub(crate) struct EventStream {
    response: reqwest::Response,
    rest: String,
}

impl EventStream {
    /// The next block up to its blank line, comments included; none at the end.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.rest.find("\n\n") {
                let mut block: String = self.rest.drain(..end + 2).collect();
                block.truncate(end);
                return Some(block);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("the stream goes on");
            let chunk = chunk.expect("the stream is whole")?;
            self.rest.push_str(std::str::from_utf8(&chunk).expect("the stream is UTF-8"));
        }
    }

    /// The next block that is no comment.
    pub(crate) async fn event(&mut self) -> Option<String> {
        loop {
            let block = self.block().await?;
            if !block.starts_with(':') {
                return Some(block);
            }
        }
    }

    /// The next entry: its id and its JSON.
    pub(crate) async fn entry(&mut self) -> (i64, Value) {
        let block = self.event().await.expect("another entry");
        let (id, data) = block.split_once('\n').expect("an id line and a data line");
        let id = id.strip_prefix("id: ").expect("an id").parse().expect("a number");
        (id, serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON"))
    }
}

/// An entry of a chain with the parts that tests care about.
pub(crate) fn entry(chain: &str, timestamp: f64, suffix: &str, direction: &str) -> Value {
    json!({
        "source_id": "MA", "correlation_id": chain, "timestamp": timestamp, "suffix": suffix,
        "direction": direction, "operation": "REST", "endpoint": "/api/agents", "data": {"n": 1},
    })
}
