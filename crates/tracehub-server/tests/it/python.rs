//! The original's own client, unchanged, against this server: it sends, reads back, and streams.

use std::path::Path;

use tokio::process::Command;

use crate::support::Server;

#[tokio::test]
async fn the_unchanged_python_client_works() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = manifest.join("../../target/python/bin/python");
    assert!(python.exists(), "the Python original is not installed; `cargo xtask setup` does that");
    let server = Server::start();
    let output = Command::new(python)
        .arg(manifest.join("tests/python/roundtrip.py"))
        .arg(&server.url)
        .output()
        .await
        .expect("the script runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
