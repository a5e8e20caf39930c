//! Who is let in: every route with every secret, strangers' names and pages, guessers.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU8, Ordering};

use reqwest::{Client, Method};

use crate::support::{Server, command, entry};

pub(crate) const SECRET: &str = "the-ingest-secret";
pub(crate) const READ_SECRET: &str = "the-read-secret";

/// What a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Secret,
    ReadSecret,
    Nothing,
}

/// Every route, a request to it, and what it asks for.
pub(crate) const ROUTES: &[(&str, Method, &str, Asks)] = &[
    ("/", Method::GET, "/", Asks::Nothing),
    ("/assets/{hash}/{name:.*}", Method::GET, "/assets/0/page/main.js", Asks::Nothing),
    ("/ingest", Method::POST, "/ingest", Asks::Secret),
    ("/ingest/single", Method::POST, "/ingest/single", Asks::Secret),
    ("/cleanup", Method::DELETE, "/cleanup", Asks::Secret),
    ("/traces/{correlation_id}", Method::GET, "/traces/c", Asks::ReadSecret),
    ("/traces/{correlation_id}/calls", Method::GET, "/traces/c/calls", Asks::ReadSecret),
    ("/traces/{correlation_id}/stream", Method::GET, "/traces/c/stream?timeout=0", Asks::ReadSecret),
    ("/stream", Method::GET, "/stream?timeout=0", Asks::ReadSecret),
    ("/recent", Method::GET, "/recent", Asks::ReadSecret),
    ("/compare", Method::GET, "/compare?a=c&b=d", Asks::ReadSecret),
    ("/correlations", Method::GET, "/correlations", Asks::ReadSecret),
    ("/health", Method::GET, "/health", Asks::ReadSecret),
    ("/healthz", Method::GET, "/healthz", Asks::Nothing),
    ("/readyz", Method::GET, "/readyz", Asks::Nothing),
    ("/metrics", Method::GET, "/metrics", Asks::ReadSecret),
    ("/stats", Method::GET, "/stats", Asks::ReadSecret),
    ("/openapi.json", Method::GET, "/openapi.json", Asks::Nothing),
    ("/login", Method::POST, "/login", Asks::Nothing),
    ("/logout", Method::POST, "/logout", Asks::Nothing),
];

/// The paths that the server registers, read from where it does so.
fn registered() -> Vec<&'static str> {
    let services = include_str!("../../src/app.rs").lines().filter(|line| line.trim_start().starts_with(".service("));
    services.map(|line| line.split('"').nth(1).expect("a service names its path")).collect()
}

pub(crate) fn guarded(args: &[&str]) -> Server {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = command(&folder.path().join("tracehub.db"));
    command.env("TRACEHUB_SECRET", SECRET).args(args);
    Server::spawn(folder, &mut command)
}

/// A client with an address of its own, so that failures of one do not count for another.
pub(crate) fn client() -> Client {
    static LAST: AtomicU8 = AtomicU8::new(1);
    let address = Ipv4Addr::new(127, 0, 0, LAST.fetch_add(1, Ordering::Relaxed) + 1);
    Client::builder().local_address(IpAddr::V4(address)).build().expect("a client")
}

#[tokio::test]
async fn every_route_asks_for_its_secret_and_takes_no_other() {
    let listed: Vec<&str> = ROUTES.iter().map(|(pattern, ..)| *pattern).collect();
    for path in registered() {
        assert!(listed.contains(&path), "{path} has no row in this table");
    }
    let server = guarded(&["--read-secret", READ_SECRET]);
    for (pattern, method, path, asks) in ROUTES {
        let client = client();
        let ask = |name: &'static str, value: String| {
            let request = client.request(method.clone(), format!("{}{path}", server.url)).header(name, value);
            let request = request.header("content-type", "application/json").body(r#"{"traces":[]}"#);
            async move { request.send().await.unwrap() }
        };
        for (secret, opens) in [
            ("", *asks == Asks::Nothing),
            ("wrong-secret", *asks == Asks::Nothing),
            (READ_SECRET, *asks != Asks::Secret),
            (SECRET, *asks != Asks::ReadSecret),
        ] {
            let answers = if secret.is_empty() {
                vec![ask("x-other", String::new()).await, ask("authorization", "Basic abc".to_owned()).await]
            } else {
                vec![
                    ask("x-tracehub-secret", secret.to_owned()).await,
                    ask("authorization", format!("Bearer {secret}")).await,
                ]
            };
            for answer in answers {
                let status = answer.status().as_u16();
                let expected = if secret.is_empty() { 401 } else { 403 };
                assert_eq!(matches!(status, 401 | 403), !opens, "{pattern} with {secret:?}: {status}");
                assert!(opens || status == expected, "{pattern} with {secret:?}: {status}");
                assert_eq!(answer.headers().contains_key("www-authenticate"), status == 401);
            }
        }
    }
}

#[tokio::test]
async fn one_secret_opens_everything_and_two_may_be_valid_while_one_replaces_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "old-secret\nnew-secret\n").unwrap();
    let server = Server::start_in(folder, &["--secret-file", file.to_str().unwrap()]);
    for secret in ["old-secret", "new-secret"] {
        for (_, method, path, _) in ROUTES {
            let answer = server.request(method.clone(), path).header("x-tracehub-secret", secret).send().await.unwrap();
            assert!(!matches!(answer.status().as_u16(), 401 | 403), "{path} {secret}");
        }
    }
    assert_eq!(server.get("/health").await.0, 401);
}

#[tokio::test]
async fn guessing_has_an_end_and_the_right_secret_goes_on() {
    let server = guarded(&[]);
    let client = client();
    let status = async |secret: &str| {
        let request = client.get(format!("{}/health", server.url)).header("x-tracehub-secret", secret);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
    };
    for number in 0..10 {
        assert_eq!(status(&format!("guess-{number}")).await, (403, false));
    }
    assert_eq!(status("guess-10").await, (429, true));
    assert_eq!(status(SECRET).await, (200, false), "a proxy is one address");
}

#[tokio::test]
async fn a_page_of_another_site_can_neither_send_nor_read() {
    let server = Server::start();
    server.ingest(&[entry("c", 1.0, "a", "->")]).await;
    for (name, value) in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        for (method, path) in [(Method::DELETE, "/cleanup"), (Method::POST, "/ingest")] {
            let answer = server.request(method, path).header(name, value).send().await.unwrap();
            assert_eq!(answer.status(), 403, "{path} {name}: {value}");
            assert!(answer.text().await.unwrap().contains(r#""error":"bad_origin""#));
        }
        let answer = server.request(Method::GET, "/traces/c").header(name, value).send().await.unwrap();
        assert!(answer.headers().get("access-control-allow-origin").is_none());
    }
    let own = server.request(Method::DELETE, "/cleanup").header("origin", &server.url).send().await.unwrap();
    assert_eq!(own.status(), 200);
}

#[tokio::test]
async fn a_name_that_was_pointed_here_gets_no_answer() {
    let server = Server::start_in(tempfile::tempdir().unwrap(), &["--public-host", "traces.example"]);
    for (host, status) in
        [("evil.example", 421), ("localhost", 200), ("127.0.0.1:9", 200), ("[::1]", 200), ("traces.example", 200)]
    {
        for path in ["/health", "/traces/c/stream?timeout=0", "/correlations"] {
            let answer = server.request(Method::GET, path).header("host", host).send().await.unwrap();
            assert_eq!(answer.status(), status, "{host} {path}");
        }
    }
}

#[tokio::test]
async fn a_listed_origin_may_read_and_send() {
    const ORIGIN: &str = "https://tools.example";
    let server = guarded(&["--cors-origin", ORIGIN]);
    let preflight = server.request(Method::OPTIONS, "/ingest").header("origin", ORIGIN).send().await.unwrap();
    assert_eq!(preflight.status(), 204);
    assert_eq!(preflight.headers()["access-control-allow-origin"], ORIGIN);
    let allowed = preflight.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.contains("x-tracehub-secret"));
    let read = server.request(Method::GET, "/health").header("origin", ORIGIN);
    let read = read.header("x-tracehub-secret", SECRET).send().await.unwrap();
    assert_eq!(
        (read.status().as_u16(), &read.headers()["access-control-allow-origin"]),
        (200, &ORIGIN.parse().unwrap())
    );
    let without = server.request(Method::GET, "/health").header("origin", ORIGIN).send().await.unwrap();
    assert_eq!(without.status(), 401, "an origin is no secret");
    let other =
        server.request(Method::OPTIONS, "/ingest").header("origin", "https://evil.example").send().await.unwrap();
    assert!(other.headers().get("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn secrets_are_not_taken_from_urls_and_appear_nowhere() {
    let mut server = guarded(&["--log", "trace"]);
    let answer =
        server.request(Method::GET, "/health?token=x").header("x-tracehub-secret", SECRET).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let health = server.request(Method::GET, "/health").header("x-tracehub-secret", SECRET).send().await.unwrap();
    assert!(!health.text().await.unwrap().contains(SECRET));
    server.request(Method::GET, "/health").header("x-tracehub-secret", "a-wrong-guess").send().await.unwrap();
    server.terminate();
    let (_, log) = server.wait();
    assert!(!log.contains(SECRET) && !log.contains("a-wrong-guess"), "{log}");
}

#[tokio::test]
async fn the_world_is_let_in_only_with_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(&folder.path().join("tracehub.db")).args(["--host", "0.0.0.0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8(output.stderr).unwrap().contains("TRACEHUB_SECRET"));
    let server = guarded(&["--host", "0.0.0.0"]);
    let url = server.url.replace("0.0.0.0", "127.0.0.1");
    assert_eq!(reqwest::get(format!("{url}/health")).await.unwrap().status(), 401);
}
