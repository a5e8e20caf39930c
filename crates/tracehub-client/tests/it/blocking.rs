//! The blocking twin: the same answers without async, on any thread, and never a panic in somebody else's runtime.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use tracehub_client::blocking::{TraceHubQueryClient, Within};
use tracehub_client::{Clocks, CorrelationQuery, QueryError, RecentQuery, ResumeEvent, StreamEvent, StreamFilter};

use crate::support::{LONG, Reply, Server, runtime};

const TIMEOUT: &str = "data: {\"type\": \"timeout\"}\n\n";
const HEALTH: &str = r#"{"status":"healthy","service":"tracehub","db":"x","retention_hours":24}"#;

fn event(id: i64) -> String {
    format!(
        "id: {id}\ndata: {{\"source_id\":\"MA\",\"correlation_id\":\"c1\",\"timestamp\":1.0,\"suffix\":\"{id}\",\
         \"direction\":\"->\",\"operation\":\"REST\",\"endpoint\":\"/x\"}}\n\n"
    )
}

/// Answers every question of the API.
fn complete() -> Server {
    Server::start(|_, request| {
        let path = request.target.split('?').next().unwrap_or_default();
        let body = match path {
            "/traces/c1" => r#"{"correlation_id":"c1","traces":[],"count":0,"complete":false}"#,
            "/traces/c1/calls" => {
                r#"{"correlation_id":"c1","count":0,"complete":false,"start":null,"end":null,"duration_ms":0.0,"calls":[],"marks":[],"critical_path":[],"longest_gap":null,"sources":[],"skew":[]}"#
            }
            "/compare" => {
                r#"{"a":{"correlation_id":"a","count":0,"complete":false,"duration_ms":0.0},"b":{"correlation_id":"b","count":0,"complete":false,"duration_ms":0.0},"calls":[],"missing":1,"added":2}"#
            }
            "/recent" => r#"{"traces":[],"count":0,"last_id":3}"#,
            "/correlations" if request.target.contains("cursor=5") => r#"{"correlations":[],"count":0}"#,
            "/correlations" => r#"{"correlations":[],"count":0,"next_cursor":5}"#,
            "/health" => HEALTH,
            "/cleanup" => r#"{"deleted":5}"#,
            "/stream" | "/traces/c1/stream" => {
                return Reply::Events(vec![event(4), event(5), TIMEOUT.to_owned()]);
            }
            _ => return Reply::Status(404, String::new()),
        };
        Reply::Status(200, body.to_owned())
    })
}

/// Asks everything there is to ask.
fn ask_everything(client: &TraceHubQueryClient) {
    assert_eq!(client.get_traces("c1", Some("MA")).expect("an answer").count, 0);
    assert_eq!(client.list_correlations(3).expect("an answer").count, 0);
    assert_eq!(client.correlations(&CorrelationQuery::new().source("MA")).expect("an answer").count, 0);
    assert_eq!(client.correlation_pages(CorrelationQuery::new()).flatten().count(), 2);
    assert_eq!(client.calls("c1", Clocks::Corrected).expect("an answer").correlation_id, "c1");
    assert_eq!(client.compare("a", "b", Clocks::AsLogged).expect("an answer").added, 2);
    assert_eq!(client.recent(&RecentQuery::new()).expect("an answer").last_id.0, 3);
    assert_eq!(client.health().expect("an answer").retention_hours, 24);
    assert_eq!(client.cleanup().expect("an answer").deleted, 5);
    let ids = |event: Result<StreamEvent, QueryError>| match event.expect("an answer") {
        StreamEvent::Entry { id, .. } => id,
        _ => None,
    };
    let expected = [Some(4), Some(5), None];
    assert_eq!(client.stream_traces("c1", LONG).expect("an answer").map(ids).collect::<Vec<_>>(), expected);
    assert_eq!(client.stream(&StreamFilter::new()).expect("an answer").map(ids).collect::<Vec<_>>(), expected);
    let entries = |event: &Result<ResumeEvent, QueryError>| matches!(event, Ok(ResumeEvent::Entry { .. }));
    let short = StreamFilter::new().timeout(Duration::ZERO);
    assert_eq!(client.follow(&short).filter(entries).count(), 2);
    assert_eq!(client.follow_traces("c1", Some(Duration::ZERO)).expect("an answer").filter(entries).count(), 2);
}

#[test]
fn everything_works_without_a_runtime() {
    let server = complete();
    let client = TraceHubQueryClient::new(&server.url()).unwrap();
    assert_eq!(client.url(), server.url());
    ask_everything(&client);
}

/// Made, used and dropped where an HTTP client that enters a runtime panics.
#[test]
fn everything_works_on_a_thread_of_a_runtime() {
    let server = complete();
    runtime().block_on(async {
        let client = TraceHubQueryClient::new(&server.url()).unwrap();
        ask_everything(&client);
        let mut waiting = client.clone().follow(&StreamFilter::new().after(0));
        assert!(matches!(waiting.next(), Some(Ok(ResumeEvent::Connected { .. }))));
        drop(client);
        assert!(waiting.next().is_some(), "an iterator keeps the thread");
        drop(waiting);
        tokio::task::spawn_blocking(|| ()).await.unwrap();
    });
}

/// A connection that the host's runtime keeps alive would stand still while the host waits for the twin.
#[test]
fn a_twin_does_not_wait_for_the_runtime_that_waits_for_it() {
    let server = complete();
    runtime().block_on(async {
        let client = tracehub_client::TraceHubQueryClient::new(&server.url()).unwrap().with_secret("hunter2");
        client.health().await.unwrap();
        let twin = client.blocking().unwrap();
        assert_eq!(twin.health().unwrap().status, "healthy");
        client.health().await.unwrap();
    });
    let secrets: Vec<bool> =
        server.requests().iter().map(|request| request.header("x-tracehub-secret") == Some("hunter2")).collect();
    assert_eq!(secrets, [true; 3]);
}

#[test]
fn waits_have_deadlines_and_errors_are_the_same() {
    let server = Server::start(|_, _| Reply::Hang);
    let client = TraceHubQueryClient::new(&server.url()).unwrap().with_timeout(Duration::from_millis(100));
    let expected = QueryError::TimedOut { url: server.url(), after: Duration::from_millis(100) };
    let started = Instant::now();
    assert_eq!(client.health().unwrap_err(), expected);
    assert_eq!(client.stream(&StreamFilter::new()).unwrap_err(), expected);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!(matches!(client.calls("..", Clocks::default()), Err(QueryError::InvalidUrl { .. })));
    assert!(matches!(TraceHubQueryClient::new("hub"), Err(QueryError::InvalidUrl { .. })));
    assert_eq!(client.with_secret("two\nlines").health().unwrap_err(), QueryError::InvalidSecret);
}

#[test]
fn threads_ask_at_the_same_time_while_another_follows() {
    let server = Server::start(|_, request| match request.target.as_str() {
        "/health" => {
            thread::sleep(Duration::from_millis(400));
            Reply::Status(200, HEALTH.to_owned())
        }
        _ => Reply::EventsThenSilence(vec![event(1)]),
    });
    let client = TraceHubQueryClient::new(&server.url()).unwrap();
    let mut stream = client.stream(&StreamFilter::new()).unwrap();
    assert!(stream.next().unwrap().is_ok());
    assert_eq!(stream.next_within(Duration::from_millis(10)), Within::Waiting);
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| client.health().unwrap());
        }
    });
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}: one after the other", started.elapsed());
    assert_eq!(stream.next_within(Duration::ZERO), Within::Waiting);
}

/// A server whose one connection the test itself holds.
fn by_hand() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback is free");
    let url = format!("http://{}", listener.local_addr().expect("a bound listener has an address"));
    (listener, url)
}

#[test]
fn a_wait_that_came_back_loses_nothing_and_dropping_closes_the_connection() {
    let (listener, url) = by_hand();
    let client = TraceHubQueryClient::new(&url).unwrap();
    let (mut connection, mut stream) = thread::scope(|scope| {
        let opening = scope.spawn(|| client.stream(&StreamFilter::new()).unwrap());
        let (mut connection, _) = listener.accept().unwrap();
        connection.set_read_timeout(Some(LONG)).unwrap();
        assert!(connection.read(&mut [0; 4096]).unwrap() > 0);
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").unwrap();
        (connection, opening.join().unwrap())
    });
    for id in 1..=3 {
        assert_eq!(stream.next_within(Duration::from_millis(20)), Within::Waiting);
        connection.write_all(event(id).as_bytes()).unwrap();
        let got = stream.next_within(LONG);
        assert!(matches!(got, Within::Item(Ok(StreamEvent::Entry { id: Some(got), .. })) if got == id), "{got:?}");
    }
    assert_eq!(stream.next_within(Duration::from_millis(20)), Within::Waiting);
    drop(stream);
    assert_eq!(connection.read(&mut [0; 16]).unwrap(), 0, "the connection is closed");
    // The client is still good for another question.
    drop(listener);
    assert!(matches!(client.health(), Err(QueryError::Unreachable { .. })));
}

#[test]
fn an_iterator_stays_ended() {
    let server = Server::start(|_, _| Reply::Events(vec![TIMEOUT.to_owned()]));
    let client = TraceHubQueryClient::new(&server.url()).unwrap();
    let mut stream = client.stream_traces("c1", Duration::ZERO).unwrap();
    assert_eq!(stream.next(), Some(Ok(StreamEvent::Timeout)));
    assert_eq!((stream.next(), stream.next_within(LONG)), (None, Within::Ended));
}
