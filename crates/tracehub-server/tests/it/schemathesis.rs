//! The server under schemathesis, which makes requests from the description, good and bad ones, and looks at every answer:
//! no fault of the server, no status, content type, header or key that is not described, nothing taken that should be
//! refused or refused that should be taken, no way around the secret.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

use crate::access::{SECRET, guarded};
use crate::description::Description;
use crate::support::entry;

/// Requests made up for each route and method, beside those at every limit. `cargo xtask fuzz-http` makes more.
const EXAMPLES: &str = "8";
/// It knows the statuses of a refusal, but not that a batch of too many entries is 413 like a body of too many bytes.
const CONFIG: &str = "[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, '5xx']
";
/// How long it may take, in seconds, for each fifty examples: many times what it does.
const PATIENCE: u64 = 600;

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

    let asked = std::env::var("TRACEHUB_TEST_EXAMPLES");
    let examples = asked.as_deref().unwrap_or(EXAMPLES);
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("schemathesis.toml"), CONFIG).expect("the settings are written");
    let run = Command::new(program)
        .args(["run", &format!("{}/openapi.json", server.url), "--checks", "all", "--max-examples", examples])
        .args(["--header", &format!("X-TraceHub-Secret: {SECRET}"), "--continue-on-failure", "--no-color"])
        // All of it: by itself it leaves out the route that the description came from.
        .args(["--include-path-regex", "."])
        // The same requests every time: a failure can be looked at again, and no run fails by chance.
        .args(["--seed", "42", "--generation-deterministic"])
        .env("SCHEMATHESIS_HOOKS", manifest.join("tests/python/schemathesis_hooks.py"))
        .current_dir(folder.path())
        .kill_on_drop(true)
        .output();
    let patience = Duration::from_secs(PATIENCE * (1 + examples.parse::<u64>().expect("a number") / 50));
    let output = tokio::time::timeout(patience, run).await.expect("it ends").expect("schemathesis runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let operations = Description::get(&server.url).await.expect("a description").operations().count();
    assert!(said.contains(&format!("Tested: {operations}\n")), "{said}");
    if asked.is_ok() {
        std::io::stdout().write_all(said.as_bytes()).expect("someone reads");
    }
    assert_eq!(server.get("/openapi.json").await.0, 200, "it is as well as before");
}
