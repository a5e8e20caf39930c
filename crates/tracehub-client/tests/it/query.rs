//! The query client: what it asks, what it reads, and what it says when that fails.

use std::time::Duration;

use tracehub_client::{QueryError, TraceHubQueryClient};

use crate::support::{Reply, Server, url_of_nobody};

fn query(server: &Server) -> TraceHubQueryClient {
    TraceHubQueryClient::new(&server.url()).expect("the url is valid")
}

/// A server with one answer for everything.
fn answering(status: u16, body: &'static str) -> Server {
    Server::start(move |_, _| Reply::Status(status, body.to_owned()))
}

const CHAIN: &str = r#"{"correlation_id":"c1","traces":[{"source_id":"MA","correlation_id":"c1","timestamp":10.5,"suffix":"a","direction":"->","operation":"REST","endpoint":"/x","data":{"b":1},"hostname":"h","raw_line":null}],"count":1,"complete":false}"#;

#[tokio::test]
async fn a_chain_is_read() {
    let server = answering(200, CHAIN);
    let chain = query(&server).get_traces("c1", None).await.unwrap();
    assert_eq!((chain.count, chain.complete, chain.traces.len()), (1, false, 1));
    assert_eq!(chain.traces[0].data(), Some(r#"{"b":1}"#));
    let request = &server.requests()[0];
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/traces/c1"));
}

#[tokio::test]
async fn ids_and_sources_are_encoded() {
    let server = answering(200, CHAIN);
    let query = query(&server);
    query.get_traces("a/b c?d", Some("M A&x=1")).await.unwrap();
    query.get_traces("x/stream", None).await.unwrap();
    query.get_traces("é%2F", None).await.unwrap();
    let targets: Vec<String> = server.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/traces/a%2Fb%20c%3Fd?source=M+A%26x%3D1", "/traces/x%2Fstream", "/traces/%C3%A9%252F"]);
    for id in [".", ".."] {
        let err = query.get_traces(id, None).await.unwrap_err();
        assert!(matches!(err, QueryError::InvalidUrl { .. }), "{err}");
    }
}

#[tokio::test]
async fn lists_health_and_cleanup_are_read() {
    let server = Server::start(|_, request| {
        let body = match request.target.as_str() {
            "/hub/correlations?limit=7&include=complete" => {
                r#"{"correlations":[{"correlation_id":"c1","trace_count":2,"first_ts":1.0,"last_ts":3.0,"duration_ms":2,"sources":["MA"]}],"count":1}"#
            }
            "/hub/health" => {
                r#"{"status":"healthy","service":"tracehub","db":"/tmp/tracehub.db","retention_hours":24}"#
            }
            "/hub/cleanup" if request.method == "DELETE" => r#"{"deleted":5}"#,
            _ => return Reply::Status(404, String::new()),
        };
        Reply::Status(200, body.to_owned())
    });
    let query = TraceHubQueryClient::new(&format!("{}/hub/", server.url())).unwrap();
    assert_eq!(query.url(), format!("{}/hub", server.url()));
    let list = query.list_correlations(7).await.unwrap();
    assert_eq!((list.correlations[0].trace_count, list.correlations[0].complete), (2, None));
    assert_eq!(query.health().await.unwrap().retention_hours, 24);
    assert_eq!(query.cleanup().await.unwrap().deleted, 5);
}

#[tokio::test]
async fn the_secret_is_sent_and_never_shown() {
    let server = answering(200, r#"{"deleted":0}"#);
    let with_secret = query(&server).with_secret("hunter2");
    assert!(!format!("{with_secret:?}").contains("hunter2"));
    with_secret.cleanup().await.unwrap();
    query(&server).with_secret("").cleanup().await.unwrap();
    let secrets: Vec<Option<String>> =
        server.requests().iter().map(|request| request.header("x-tracehub-secret").map(str::to_owned)).collect();
    assert_eq!(secrets, [Some("hunter2".to_owned()), None]);
    let bad = query(&server).with_secret("two\nlines").health().await;
    assert_eq!(bad.unwrap_err(), QueryError::InvalidSecret);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let server = answering(401, r#"{"error":"unauthorized","message":"a secret is needed"}"#);
    let message = "a secret is needed".to_owned();
    let expected = QueryError::Unauthorized { status: 401, message };
    assert_eq!(query(&server).health().await.unwrap_err(), expected);
    let server = answering(404, r#"{"detail":"Not Found"}"#);
    let message = "Not Found".to_owned();
    let expected = QueryError::Status { status: 404, message };
    assert_eq!(query(&server).health().await.unwrap_err(), expected);
    let server = answering(200, "<html>");
    let err = query(&server).health().await.unwrap_err();
    assert!(matches!(err, QueryError::Malformed { .. }), "{err}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Server::start(|_, _| Reply::StatusWith(307, "location: http://127.0.0.1:1/", String::new()));
    let err = query(&server).with_secret("hunter2").health().await.unwrap_err();
    assert!(matches!(err, QueryError::Status { status: 307, .. }), "{err}");
}

#[tokio::test]
async fn no_server_and_a_silent_one_are_told_apart() {
    let err = TraceHubQueryClient::new(&url_of_nobody()).unwrap().health().await.unwrap_err();
    assert!(matches!(&err, QueryError::Unreachable { reason, .. } if reason.contains("refused")), "{err}");
    let server = Server::start(|_, _| Reply::Disconnect);
    let err = query(&server).health().await.unwrap_err();
    assert!(matches!(err, QueryError::Unreachable { .. }), "{err}");
    let server = Server::start(|_, _| Reply::Hang);
    let hurried = query(&server).with_timeout(Duration::from_millis(100));
    let expected = QueryError::TimedOut { url: server.url(), after: Duration::from_millis(100) };
    assert_eq!(hurried.health().await.unwrap_err(), expected);
    assert_eq!(hurried.stream_traces("c1", Duration::ZERO).await.unwrap_err(), expected);
}

/// A host may await on a runtime of several threads.
#[test]
fn futures_can_move_between_threads() {
    fn can_move<T: Send>(_: &T) {}
    let query = TraceHubQueryClient::new("http://hub").unwrap();
    can_move(&query.get_traces("c1", None));
    can_move(&async {
        let mut stream = query.stream_traces("c1", Duration::ZERO).await?;
        Ok::<_, QueryError>(stream.next().await)
    });
}

#[test]
fn urls_are_checked_at_once() {
    for url in ["", "hub", "ftp://hub", "http://me:pass@hub"] {
        let err = TraceHubQueryClient::new(url).unwrap_err();
        assert!(matches!(err, QueryError::InvalidUrl { .. }), "{url}: {err}");
    }
}
