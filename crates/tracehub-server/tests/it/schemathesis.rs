//! The server under schemathesis, which makes requests from the description, good and bad ones, and looks at every answer:
//! no fault of the server, no status, content type, header or key that is not described, nothing taken that should be
//! refused or refused that should be taken, no way around the secret.

use std::path::Path;

use tokio::process::Command;

use crate::access::{SECRET, guarded};
use crate::support::entry;

/// Requests made up for each route and method, beside those at every limit. `cargo xtask fuzz-http` makes more.
const EXAMPLES: &str = "12";

#[tokio::test]
async fn nothing_that_it_makes_up_gets_an_answer_that_is_not_described() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = manifest.join("../../target/python/bin/schemathesis");
    assert!(program.exists(), "schemathesis is not installed; `cargo xtask setup` does that");
    let server = guarded(&[]);
    let known = [entry("order-42", 1.0, "a1", "->"), entry("order-42", 2.0, "a1", "<-")];
    let stored = server.request(reqwest::Method::POST, "/ingest").header("x-tracehub-secret", SECRET);
    let stored = stored.header("content-type", "application/json");
    let stored = stored.body(serde_json::json!({ "traces": known }).to_string()).send().await.expect("an answer");
    assert_eq!(stored.status(), 200);

    let examples = std::env::var("TRACEHUB_TEST_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(program)
        .args(["run", &format!("{}/openapi.json", server.url), "--checks", "all", "--max-examples", &examples])
        .args(["--header", &format!("X-TraceHub-Secret: {SECRET}"), "--continue-on-failure", "--no-color"])
        // The same requests every time: a failure can be looked at again, and no run fails by chance.
        .args(["--seed", "42", "--generation-deterministic"])
        .env("SCHEMATHESIS_HOOKS", manifest.join("tests/python/schemathesis_hooks.py"))
        .current_dir(folder.path())
        .output()
        .await
        .expect("schemathesis runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    println!("{said}");
    assert_eq!(server.get("/openapi.json").await.0, 200, "it is as well as before");
}
