//! Following a chain: events of both servers, in any pieces, to each kind of end.

use std::time::Duration;

use tracehub_client::{MAX_EVENT_BYTES, QueryError, StreamEvent, StreamFilter, TraceHubQueryClient, TraceStream};

use crate::support::{Reply, Server, entry};

const TIMEOUT: &str = "data: {\"type\": \"timeout\"}\n\n";

fn event(suffix: &str) -> String {
    format!(
        r#"data: {{"source_id":"MA","correlation_id":"c1","timestamp":1706803200123.0,"suffix":"{suffix}","direction":"->","operation":"REST","endpoint":"/api/orders","data":null,"hostname":"unknown","raw_line":null}}"#
    ) + "\n\n"
}

async fn follow(server: &Server) -> TraceStream {
    let client = TraceHubQueryClient::new(&server.url()).expect("the url is valid");
    client.stream_traces("c/1", Duration::from_millis(1_500)).await.expect("the stream opens")
}

/// The events of a stream of these pieces, up to its end.
async fn events(pieces: Vec<String>) -> Vec<Result<StreamEvent, QueryError>> {
    let server = Server::start(move |_, _| Reply::Events(pieces.clone()));
    let mut stream = follow(&server).await;
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        events.push(event);
    }
    assert!(stream.next().await.is_none());
    events
}

fn entry_event(id: Option<i64>, suffix: &str) -> StreamEvent {
    StreamEvent::Entry { id, entry: entry(suffix) }
}

#[tokio::test]
async fn entries_come_with_and_without_ids_until_the_timeout() {
    let pieces = vec![
        ": keepalive\n\n".to_owned(),
        event("a"),
        format!("id: 12\n{}", event("b")),
        ": keepalive\n\n".to_owned(),
        TIMEOUT.to_owned(),
        event("after the end"),
    ];
    let expected = [Ok(entry_event(None, "a")), Ok(entry_event(Some(12), "b")), Ok(StreamEvent::Timeout)];
    assert_eq!(events(pieces).await, expected);
}

#[tokio::test]
async fn pieces_may_be_cut_anywhere() {
    let whole = format!(": keepalive\r\n\r\nid: 7\r\n{}{TIMEOUT}", event("a"));
    let pieces = whole.chars().map(String::from).collect();
    assert_eq!(events(pieces).await, [Ok(entry_event(Some(7), "a")), Ok(StreamEvent::Timeout)]);
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let pieces = vec![event("a"), format!("event: shutdown\n{TIMEOUT}")];
    assert_eq!(events(pieces).await, [Ok(entry_event(None, "a")), Ok(StreamEvent::Shutdown)]);
}

#[tokio::test]
async fn unknown_kinds_of_events_are_passed_over() {
    let pieces = vec![format!("event: lagged\n{}", event("a")), "id: 3\n\n".to_owned(), TIMEOUT.to_owned()];
    assert_eq!(events(pieces).await, [Ok(StreamEvent::Timeout)]);
}

#[tokio::test]
async fn an_event_that_is_no_entry_does_not_end_the_stream() {
    let pieces = vec!["data: {\"timestamp\":null}\n\n".to_owned(), event("a"), TIMEOUT.to_owned()];
    let events = events(pieces).await;
    assert!(matches!(events[0], Err(QueryError::Malformed { .. })), "{events:?}");
    assert_eq!(events[1..], [Ok(entry_event(None, "a")), Ok(StreamEvent::Timeout)]);
}

#[tokio::test]
async fn a_connection_that_ends_early_is_an_error() {
    let events = events(vec![event("a"), "data: half".to_owned()]).await;
    assert_eq!(events[0], Ok(entry_event(None, "a")));
    assert!(matches!(events[1..], [Err(QueryError::Unreachable { .. })]), "{events:?}");
}

#[tokio::test]
async fn an_event_beyond_the_bound_ends_the_stream() {
    let server = Server::start(|_, _| {
        let line = format!("data: {}\n", "x".repeat(1 << 20));
        let lines = vec![line; (MAX_EVENT_BYTES >> 20) + 1];
        Reply::EventsThenSilence(lines)
    });
    let mut stream = follow(&server).await;
    let event = stream.next().await;
    assert!(matches!(event, Some(Err(QueryError::Malformed { .. }))), "{event:?}");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn silence_beyond_the_streams_time_is_an_error() {
    let server = Server::start(|_, _| Reply::EventsThenSilence(vec![event("a")]));
    let client = TraceHubQueryClient::new(&server.url()).unwrap().with_timeout(Duration::from_secs(1));
    let mut stream = client.stream_traces("c1", Duration::ZERO).await.unwrap();
    assert_eq!(stream.next().await, Some(Ok(entry_event(None, "a"))));
    assert!(matches!(stream.next().await, Some(Err(QueryError::TimedOut { .. }))));
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn what_is_stored_may_take_longer_than_one_answer_may() {
    let names = ["a", "b", "c", "d"];
    let server = Server::start(move |_, _| {
        let events = (1..).zip(names).map(|(id, name): (u32, _)| format!("id: {id}\n{}", event(name)));
        Reply::EventsEvery(Duration::from_millis(400), events.chain([TIMEOUT.to_owned()]).collect())
    });
    let client = TraceHubQueryClient::new(&server.url()).unwrap().with_timeout(Duration::from_millis(1_400));
    let mut stream = client.stream_traces("c1", Duration::ZERO).await.unwrap();
    let mut resuming = client.follow_traces("c1", Some(Duration::ZERO)).unwrap();
    for (id, name) in (1..).zip(names) {
        assert_eq!(stream.next().await, Some(Ok(entry_event(Some(id), name))));
    }
    assert_eq!(stream.next().await, Some(Ok(StreamEvent::Timeout)));
    for _ in names {
        assert!(resuming.next_entry().await.is_some_and(|entry| entry.is_ok()));
    }
    assert!(resuming.next_entry().await.is_none());
}

#[tokio::test]
async fn a_server_that_looks_for_long_and_says_so_is_waited_for() {
    let comments = std::iter::repeat_n(": keepalive\n\n".to_owned(), 5);
    let pieces: Vec<String> = comments.chain([format!("id: 1\n{}", event("a")), TIMEOUT.to_owned()]).collect();
    let server = Server::start(move |_, _| Reply::EventsEvery(Duration::from_millis(400), pieces.clone()));
    let client = TraceHubQueryClient::new(&server.url()).unwrap().with_timeout(Duration::from_millis(1_400));
    let mut stream = client.stream(&StreamFilter::new().after(0).timeout(Duration::ZERO)).await.unwrap();
    assert_eq!(stream.next().await, Some(Ok(entry_event(Some(1), "a"))));
    assert_eq!(stream.next().await, Some(Ok(StreamEvent::Timeout)));
}

#[tokio::test]
async fn the_request_names_the_chain_and_whole_seconds() {
    let server = Server::start(|_, _| Reply::Events(vec![TIMEOUT.to_owned()]));
    follow(&server).await;
    assert_eq!(server.requests()[0].target, "/traces/c%2F1/stream?timeout=2");
}

#[tokio::test]
async fn what_is_no_stream_is_refused() {
    let server = Server::start(|_, _| Reply::Status(200, "{}".to_owned()));
    let client = TraceHubQueryClient::new(&server.url()).unwrap();
    let err = client.stream_traces("c1", Duration::ZERO).await.unwrap_err();
    assert!(matches!(err, QueryError::Malformed { .. }), "{err}");
    let server = Server::start(|_, _| Reply::Status(403, String::new()));
    let client = TraceHubQueryClient::new(&server.url()).unwrap();
    let err = client.stream_traces("c1", Duration::ZERO).await.unwrap_err();
    assert!(matches!(err, QueryError::Unauthorized { status: 403, .. }), "{err}");
}
