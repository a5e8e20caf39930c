//! The client lives with every host: no runtime, one runtime, a runtime that ends early.

use tracehub_client::FlushOutcome;

use crate::support::{LONG, Server, client, runtime, send};

/// Futures of the client must not depend on the caller's runtime.
#[test]
fn the_runtime_that_saw_the_client_built_may_end() {
    let server = Server::storing();
    let host = runtime();
    let client = host.block_on(async {
        let client = client(&server);
        send(&client, 15);
        client
    });
    drop(host);
    send(&client, 15);
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    assert_eq!(server.stored().len(), 30);
}

/// An HTTP client with a runtime of its own must not be built, used or dropped on a thread of another runtime.
#[test]
fn everything_works_inside_a_runtime() {
    let server = Server::storing();
    runtime().block_on(async {
        let client = client(&server);
        send(&client, 5);
        assert_eq!(client.flush(LONG), FlushOutcome::Complete);
        send(&client, 5);
        assert_eq!(client.close(LONG).delivered, 10);
        drop(client);
        let dropped = crate::support::client(&server);
        send(&dropped, 5);
        drop(dropped);
    });
    assert_eq!(server.stored().len(), 15);
}

#[cfg(target_os = "linux")]
#[test]
fn the_worker_thread_has_a_name() {
    let server = Server::storing();
    let _client = client(&server);
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let mut names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    assert!(names.any(|name| name.trim_end() == "tracehub-client"));
}
