//! The real server as a process that can be killed and started again at the same address, with the same database.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

/// A `tracehub-server`. Killed when dropped.
pub(crate) struct Hub {
    child: Child,
    address: String,
    folder: TempDir,
}

impl Hub {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (child, address) = spawn(&folder, "0");
        Self { child, address, folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again after a [`kill`](Self::kill).
    pub(crate) fn restart(&mut self) {
        let port = self.address.rsplit(':').next().expect("an address has a port");
        (self.child, self.address) = spawn(&self.folder, port);
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(folder: &TempDir, port: &str) -> (Child, String) {
    let mut child = Command::new(program())
        .env_clear()
        .env("TRACEHUB_DB", folder.path().join("tracehub.db"))
        .env("TRACEHUB_PORT", port)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut log = BufReader::new(child.stderr.take().expect("standard error is piped"));
    let address = loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).expect("the log is text") > 0, "the server ended before it listened");
        if let Some((_, rest)) = line.split_once("listening on http://") {
            break rest.split_whitespace().next().expect("an address").to_owned();
        }
    };
    // Its log must not fill the pipe.
    thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    (child, address)
}

/// Tests lie in a folder below that of the programs.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("this program has a path");
    let folder = test.ancestors().nth(2).expect("tests lie below the programs");
    let program = folder.join("tracehub-server").with_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.exists(), "the server is not built; `cargo build -p tracehub-server` does that");
    program
}
