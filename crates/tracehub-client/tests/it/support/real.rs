//! The real server as a process with a database of its own, which can be stopped and started again at the same address.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::free_address;

/// A running `tracehub-server`. Killed when dropped.
pub(crate) struct RealServer {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl RealServer {
    /// Starts it on a free port with an empty database.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_address().port();
        Self { child: spawn(&folder, port), port, folder }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends it as an operator does: it tells its listeners.
    pub(crate) fn stop(&mut self) {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(told.success(), "the server is told to stop");
        self.child.wait().expect("the server ends");
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the server is killed");
        self.child.wait().expect("the server ends");
    }

    /// Starts it again with its database, at its address.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(&self.folder, self.port);
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &TempDir, port: u16) -> Child {
    let mut child = Command::new(program())
        .env_clear()
        .env("TRACEHUB_DB", folder.path().join("tracehub.db"))
        .env("TRACEHUB_PORT", port.to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut lines = BufReader::new(child.stderr.take().expect("standard error is piped")).lines();
    while !lines.next().expect("the server listens before it ends").expect("its log is text").contains("listening on ")
    {
    }
    // Nobody reads on, and a server whose log is full would stop.
    std::thread::spawn(move || lines.for_each(drop));
    child
}

/// The server's program, which Cargo puts beside the folder of this test's own. Tests of the whole workspace have built
/// it; others build it here once.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.ancestors().nth(2).expect("a test lies in deps");
    let program = folder.join("tracehub-server");
    if !program.exists() {
        let target = folder.parent().expect("a profile lies in the target folder");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "tracehub-server", "--target-dir"])
            .arg(target)
            .status()
            .expect("cargo runs");
        assert!(built.success() && program.exists(), "`cargo build --package tracehub-server` makes the server");
    }
    program
}
