//! How programs end: whatever way they take, what they logged is delivered. A program of its own, whose `main` is the
//! thing under test; without its variable it runs itself once for each way.
#![expect(clippy::expect_used, reason = "a test helper that fails is a failed test")]

#[path = "../it/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the helpers of the other tests, of which these need a few")]
mod support;

use std::process::{self, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{env, thread};

use tracehub_client::TraceHubClient;

use support::{Reply, Server, entry};

const WAY_VARIABLE: &str = "TRACEHUB_TEST_EXIT_WAY";
const URL_VARIABLE: &str = "TRACEHUB_TEST_EXIT_URL";
const ENTRIES: usize = 1_000;
/// How long a client may take to deliver what waits.
const DEADLINE: Duration = Duration::from_secs(5);

static CLIENT: OnceLock<TraceHubClient> = OnceLock::new();

/// The ways to end, and the codes they end with.
const WAYS: [(&str, i32); 6] =
    [("return", 0), ("static", 0), ("exit", 7), ("exit-elsewhere", 7), ("panic", 101), ("two", 0)];

fn main() {
    match env::var(WAY_VARIABLE) {
        Ok(way) => host(&way),
        // Who asks for a list of tests gets an empty one.
        Err(_) if env::args().any(|arg| arg == "--list") => {}
        Err(_) => check_all(),
    }
}

fn client() -> TraceHubClient {
    let url = env::var(URL_VARIABLE).expect("the test sets it");
    TraceHubClient::builder(&url).drop_deadline(DEADLINE).build().expect("the settings are valid")
}

/// The program that ends.
fn host(way: &str) {
    let client = client();
    for number in 0..ENTRIES {
        client.send(entry(&number)).expect("there is room");
    }
    match way {
        "return" => {}
        "static" => CLIENT.set(client).expect("it is set once"),
        "exit" => process::exit(7),
        "exit-elsewhere" => {
            let _ = thread::spawn(|| process::exit(7)).join();
        }
        "panic" => {
            CLIENT.set(client).expect("it is set once");
            panic!("on purpose");
        }
        // Two clients that nobody drops, beside a server that hangs.
        "two" => {
            let other = self::client();
            other.send(entry("other")).expect("there is room");
            CLIENT.set(client).expect("it is set once");
            std::mem::forget(other);
        }
        other => panic!("no way to end is called {other}"),
    }
}

/// Ends a program that way, and gives how long it took.
fn end(way: &str, code: i32, server: &Server) -> Duration {
    let program = env::current_exe().expect("this program has a path");
    let start = Instant::now();
    let mut command = Command::new(program);
    command.env(WAY_VARIABLE, way).env(URL_VARIABLE, server.url()).stderr(Stdio::null());
    let status = command.status().expect("the program runs");
    assert_eq!(status.code(), Some(code), "{way}");
    start.elapsed()
}

fn check_all() {
    let expected: Vec<String> = (0..ENTRIES).map(|number| number.to_string()).collect();
    for (way, code) in WAYS.into_iter().filter(|(way, _)| *way != "two") {
        let server = Server::storing();
        end(way, code, &server);
        assert!(server.stored() == expected, "{way}: {} entries", server.stored().len());
    }
    // Deadlines pass side by side, not one after the other.
    let hanging = Server::start(|_, _| Reply::Hang);
    let took = end("two", 0, &hanging);
    assert!(took >= DEADLINE && took < DEADLINE * 2, "{took:?}");
}
