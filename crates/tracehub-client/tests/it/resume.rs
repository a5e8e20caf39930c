//! Following over broken connections: what is asked again, what is given, and what ends it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tracehub_client::{
    Interruption, MAX_EVENT_BYTES, QueryError, ResumeEvent, ResumingStream, StreamFilter, TraceHubQueryClient,
};

use crate::support::{LONG, Reply, Request, Server};

const TIMEOUT: &str = "data: {\"type\": \"timeout\"}\n\n";
const SHUTDOWN: &str = "event: shutdown\ndata: {\"type\": \"timeout\"}\n\n";

/// The event of an entry whose suffix is its id.
fn event(id: i64) -> String {
    format!(
        "id: {id}\ndata: {{\"source_id\":\"MA\",\"correlation_id\":\"c1\",\"timestamp\":1.0,\"suffix\":\"{id}\",\
         \"direction\":\"->\",\"operation\":\"REST\",\"endpoint\":\"/x\",\"data\":null,\"hostname\":\"h\",\"raw_line\":null}}\n\n"
    )
}

fn events(ids: impl IntoIterator<Item = i64>) -> Vec<String> {
    ids.into_iter().map(event).collect()
}

fn with(mut pieces: Vec<String>, last: &str) -> Vec<String> {
    pieces.push(last.to_owned());
    pieces
}

/// A server of streams, which it counts. Whoever connects again asks for its newest entry first.
fn streaming(answer: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Server {
    streaming_up_to(1_000, answer)
}

fn streaming_up_to(last_id: i64, answer: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Server {
    let streams = AtomicUsize::new(0);
    Server::start(move |_, request| match request.target.as_str() {
        "/recent?limit=0" => newest(last_id),
        _ => answer(streams.fetch_add(1, Ordering::SeqCst), request),
    })
}

fn newest(id: i64) -> Reply {
    Reply::Status(200, format!(r#"{{"traces":[],"count":0,"last_id":{id}}}"#))
}

/// The streams that were asked for.
fn streams(server: &Server) -> Vec<Request> {
    server.requests().into_iter().filter(|request| request.target.contains("/stream")).collect()
}

fn client(server: &Server) -> TraceHubQueryClient {
    TraceHubQueryClient::new(&server.url()).expect("the url is valid")
}

fn follow(server: &Server, timeout: Duration) -> ResumingStream {
    client(server).follow_traces("c1", Some(timeout)).expect("the id is valid")
}

fn after(request: &Request) -> i64 {
    request.header("last-event-id").map_or(0, |id| id.parse().expect("an id is a number"))
}

/// What became of a stream: `+3` for an entry, `(`: connected, `)`: interrupted, `.`: its time was up, `!`: an error.
async fn story(stream: &mut ResumingStream) -> (String, Option<QueryError>) {
    let (mut story, mut last) = (String::new(), None);
    while let Some(event) = tokio::time::timeout(LONG, stream.next()).await.expect("an event in time") {
        assert!(story.len() < 1_000, "it never ends: {story}");
        match event {
            Ok(ResumeEvent::Entry { id, entry }) => {
                assert!(id.is_none_or(|id| id.to_string() == entry.suffix()));
                story.push('+');
                story.push_str(entry.suffix());
            }
            Ok(ResumeEvent::Connected { .. }) => story.push('('),
            Ok(ResumeEvent::Interrupted { .. }) => story.push(')'),
            Ok(ResumeEvent::Timeout) => story.push('.'),
            Ok(other) => panic!("{other:?} is new"),
            Err(err) => {
                story.push('!');
                last = Some(err);
            }
        }
    }
    assert!(stream.next().await.is_none());
    (story, last)
}

#[tokio::test]
async fn it_goes_on_after_the_last_entry() {
    let server = streaming(|number, _| match number {
        0 => Reply::Events(events([1, 2])),
        1 => Reply::Disconnect,
        2 => Reply::Status(503, r#"{"message":"stopping"}"#.to_owned()),
        3 => Reply::Events(with(events([3]), SHUTDOWN)),
        _ => Reply::Events(with(events([4]), TIMEOUT)),
    });
    let mut stream = follow(&server, Duration::ZERO);
    assert_eq!(story(&mut stream).await, ("(+1+2)))(+3)(+4.".to_owned(), None));
    let asked: Vec<i64> = streams(&server).iter().map(after).collect();
    assert_eq!(asked, [0, 2, 2, 2, 3]);
    assert!(streams(&server).iter().all(|request| request.target == "/traces/c1/stream?timeout=0"));
    assert_eq!((stream.connections(), stream.last_id()), (3, Some(4)));
}

#[tokio::test]
async fn what_comes_again_is_passed_over() {
    let server = streaming(|number, _| match number {
        0 => Reply::Events(events([1, 2, 2, 1])),
        _ => Reply::Events(with(events([1, 2, 3]), TIMEOUT)),
    });
    let mut stream = follow(&server, Duration::ZERO);
    assert_eq!(story(&mut stream).await.0, "(+1+2)(+3.");
}

/// Whatever byte a connection breaks at.
#[tokio::test]
async fn entries_come_once_and_in_order_wherever_connections_break() {
    const LAST: i64 = 40;
    let server = streaming(move |number, request| {
        let mut text = events(after(request) + 1..=LAST).concat() + TIMEOUT;
        if number < 12 {
            // Far enough for an entry or two, so that the wait stays short.
            text.truncate((number * 7_919 % 400 + 250).min(text.len() - 3));
        }
        Reply::Events(vec![text])
    });
    let mut stream = follow(&server, Duration::ZERO);
    let mut ids = Vec::new();
    while let Some(event) = stream.next().await {
        if let ResumeEvent::Entry { id, .. } = event.unwrap() {
            ids.push(id.unwrap());
        }
    }
    assert_eq!(ids, (1..=LAST).collect::<Vec<_>>());
    assert!(stream.connections() > 12);
}

#[tokio::test]
async fn now_is_pinned_before_the_first_entry() {
    let server = Server::start(|number, request| match (number, request.target.as_str()) {
        (0 | 2, "/recent?limit=0") => newest(7),
        (1, "/stream?source=MA&timeout=0") => Reply::Events(vec![": keepalive\n\n".to_owned()]),
        (3, "/stream?source=MA&timeout=0") => Reply::Events(with(events([8, 9]), TIMEOUT)),
        other => panic!("{other:?}"),
    });
    let mut stream = client(&server).follow(&StreamFilter::new().source("MA").timeout(Duration::ZERO));
    assert_eq!(story(&mut stream).await.0, "()(+8+9.");
    assert_eq!(streams(&server).iter().map(after).collect::<Vec<_>>(), [7, 7]);
}

/// Its ids begin at 1 again.
#[tokio::test]
async fn a_server_with_a_new_database_is_followed_from_its_beginning() {
    for of_chain in [true, false] {
        let server = streaming_up_to(3, |number, request| match number {
            0 => Reply::Events(events(1..=5)),
            _ => Reply::Events(with(events(after(request) + 1..=3), TIMEOUT)),
        });
        let mut stream = if of_chain {
            follow(&server, Duration::ZERO)
        } else {
            client(&server).follow(&StreamFilter::new().after(0).timeout(Duration::ZERO))
        };
        let (mut suffixes, mut anew) = (Vec::new(), Vec::new());
        while let Some(event) = stream.next().await {
            match event.unwrap() {
                ResumeEvent::Entry { entry, .. } => suffixes.push(entry.suffix().to_owned()),
                ResumeEvent::Connected { after, anew: is_anew } => anew.push((after.unwrap_or(0), is_anew)),
                _ => {}
            }
        }
        assert_eq!(suffixes, ["1", "2", "3", "4", "5", "1", "2", "3"], "{of_chain}");
        assert_eq!((anew, stream.last_id()), (vec![(0, false), (0, true)], Some(3)), "{of_chain}");
    }
}

/// The Python server lacks the question, and an older one may.
#[tokio::test]
async fn a_server_that_cannot_say_what_is_newest_is_followed_all_the_same() {
    for reply in [|| Reply::Status(404, String::new()), || Reply::Status(200, "<html>".to_owned())] {
        let server = Server::start(move |number, request| match (number, request.target.as_str()) {
            (0, _) => Reply::Events(events([1])),
            (_, "/recent?limit=0") => reply(),
            _ => Reply::Events(with(events([2]), TIMEOUT)),
        });
        assert_eq!(story(&mut follow(&server, Duration::ZERO)).await.0, "(+1)(+2.");
    }
}

#[tokio::test]
async fn a_given_beginning_is_kept() {
    let server = streaming(|_, _| Reply::Events(with(events([13]), TIMEOUT)));
    let filter = StreamFilter::new().after(12).timeout(Duration::ZERO);
    assert_eq!(story(&mut client(&server).follow(&filter)).await.0, "(+13.");
    assert_eq!(story(&mut follow(&server, Duration::ZERO).starting_after(12)).await.0, "(+13.");
    assert_eq!(streams(&server).iter().map(after).collect::<Vec<_>>(), [12, 12]);
}

#[tokio::test]
async fn lasting_refusals_end_it_at_once() {
    for status in [400, 401, 403, 404, 422, 307] {
        let server = streaming(move |number, _| match number {
            0 => Reply::Events(events([1])),
            _ => Reply::Status(status, String::new()),
        });
        let (told, err) = story(&mut follow(&server, LONG)).await;
        assert_eq!((told.as_str(), streams(&server).len()), ("(+1)!", 2), "{status}");
        let message = String::new();
        let expected = match status {
            401 | 403 => QueryError::Unauthorized { status, message },
            _ => QueryError::Status { status, message },
        };
        assert_eq!(err, Some(expected));
    }
    let server = streaming(|_, _| Reply::Status(404, String::new()));
    let (told, err) = story(&mut client(&server).follow(&StreamFilter::new().after(0))).await;
    assert_eq!((told.as_str(), streams(&server).len()), ("!", 1));
    assert_eq!(err, Some(QueryError::Unsupported { url: server.url(), what: "GET /stream" }));
}

#[tokio::test]
async fn what_is_no_stream_ends_it_and_what_is_no_entry_does_not() {
    let server = streaming(|_, _| Reply::Status(200, "{}".to_owned()));
    let (told, err) = story(&mut follow(&server, LONG)).await;
    assert!(told == "!" && matches!(err, Some(QueryError::Malformed { .. })), "{told} {err:?}");

    let broken = "id: 2\ndata: {\"timestamp\":null}\n\n";
    let server = streaming(move |number, _| match number {
        0 => Reply::Events(vec![event(1), broken.to_owned()]),
        _ => Reply::Events(with(events([3]), TIMEOUT)),
    });
    let (told, err) = story(&mut follow(&server, Duration::ZERO)).await;
    assert!(told == "(+1!)(+3." && matches!(err, Some(QueryError::Malformed { .. })), "{told} {err:?}");
    assert_eq!(after(&streams(&server)[1]), 2);
}

/// It would come again with every connection.
#[tokio::test]
async fn an_event_beyond_the_bound_ends_it() {
    let server = streaming(|_, _| {
        let line = format!("data: {}\n", "x".repeat(1 << 20));
        Reply::EventsThenSilence(vec![line; (MAX_EVENT_BYTES >> 20) + 1])
    });
    let (told, err) = story(&mut follow(&server, LONG)).await;
    assert!(told == "(!" && matches!(err, Some(QueryError::Malformed { .. })), "{told} {err:?}");
}

#[tokio::test]
async fn events_without_usable_ids_cannot_be_gone_on_after() {
    for id in ["", "id: x\n", "id: -3\n", "id: 9223372036854775808\n"] {
        let unnumbered = event(1).replace("id: 1\n", id);
        let server = streaming(move |_, _| Reply::Events(vec![unnumbered.clone()]));
        let (told, err) = story(&mut follow(&server, LONG)).await;
        assert_eq!((told.as_str(), streams(&server).len()), ("(+1!", 1), "{id}");
        assert!(matches!(err, Some(QueryError::Unsupported { .. })), "{err:?}");
    }
}

#[tokio::test]
async fn silence_is_a_broken_connection() {
    let server = || {
        streaming(|number, _| match number {
            0 => Reply::EventsThenSilence(events([1])),
            _ => Reply::Events(events([2])),
        })
    };
    let (of_chain, of_all) = (server(), server());
    // A chain's stream speaks every second, that of all chains every fifteen.
    silence(&of_chain, client(&of_chain).follow_traces("c1", None).unwrap(), 20).await;
    silence(&of_all, client(&of_all).follow(&StreamFilter::new().after(0)), 50).await;
}

async fn silence(server: &Server, mut stream: ResumingStream, seconds: u64) {
    while !matches!(stream.next().await, Some(Ok(ResumeEvent::Entry { id: Some(1), .. }))) {}
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    // A caller that looks away again and again must find out too.
    let event = loop {
        if let Ok(event) = tokio::time::timeout(Duration::from_millis(1_500), stream.next()).await {
            break event;
        }
        assert!(started.elapsed() < 3 * Duration::from_secs(seconds), "the silence is never noticed");
    };
    let waited = started.elapsed();
    tokio::time::resume();
    let cause = match event {
        Some(Ok(ResumeEvent::Interrupted { cause, attempt: 1, .. })) => cause,
        other => panic!("{other:?}"),
    };
    let after = Duration::from_secs(seconds);
    assert_eq!(cause, Interruption::Failed(QueryError::TimedOut { url: server.url(), after }));
    assert!(waited >= after && waited <= after + Duration::from_secs(2), "{waited:?}");
    while !matches!(stream.next().await, Some(Ok(ResumeEvent::Entry { id: Some(2), .. }))) {}
}

#[tokio::test]
async fn a_server_that_ends_too_early_is_asked_for_the_rest() {
    let server = streaming(|number, _| match number {
        0 => Reply::Events(with(events([1]), TIMEOUT)),
        _ => Reply::EventsThenSilence(events([2])),
    });
    let mut stream = follow(&server, Duration::from_secs(100));
    let mut interruptions = Vec::new();
    while stream.last_id() != Some(2) {
        if let ResumeEvent::Interrupted { cause, .. } = stream.next().await.unwrap().unwrap() {
            interruptions.push(cause);
        }
    }
    assert_eq!(interruptions, [Interruption::EndedEarly]);
}

#[tokio::test]
async fn without_a_connection_at_its_time_it_ends_with_the_reason() {
    let server = streaming(|_, _| Reply::Disconnect);
    let client = client(&server).with_timeout(Duration::from_millis(200));
    let mut stream = client.follow_traces("c1", Some(Duration::from_millis(300))).unwrap();
    let started = Instant::now();
    let (told, err) = story(&mut stream).await;
    assert!(told.ends_with(")!") && matches!(err, Some(QueryError::Unreachable { .. })), "{told} {err:?}");
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(500) && waited < Duration::from_secs(2), "{waited:?}");
}

#[tokio::test]
async fn waits_grow_while_nothing_comes_and_start_small_after_an_entry() {
    let server = streaming(|number, _| match number {
        4 => Reply::Events(events([1])),
        _ => Reply::Status(503, String::new()),
    });
    let mut stream = follow(&server, LONG);
    let (mut attempts, mut ceiling) = (Vec::new(), Duration::from_millis(100));
    while attempts.len() < 6 {
        if let ResumeEvent::Interrupted { attempt, wait, .. } = stream.next().await.unwrap().unwrap() {
            attempts.push(attempt);
            ceiling = if attempt == 1 { Duration::from_millis(100) } else { ceiling * 2 };
            assert!(wait <= ceiling, "{attempt}: {wait:?}");
        }
    }
    assert_eq!(attempts, [1, 2, 3, 4, 1, 2]);
}

/// A caller that does other things in between drops futures half-way.
#[tokio::test]
async fn futures_that_are_dropped_lose_nothing() {
    let server = streaming(|number, request| {
        std::thread::sleep(Duration::from_millis(30));
        let next = after(request) + 1;
        match number {
            0..5 => Reply::Events(events(next..next + 3)),
            _ => Reply::Events(with(events(next..next + 3), TIMEOUT)),
        }
    });
    let mut stream = follow(&server, Duration::ZERO);
    let mut ids = Vec::new();
    loop {
        match tokio::time::timeout(Duration::from_millis(3), stream.next()).await {
            Ok(Some(Ok(ResumeEvent::Entry { id, .. }))) => ids.push(id.unwrap()),
            Ok(Some(event)) => drop(event.unwrap()),
            Ok(None) => break,
            Err(_elapsed) => {}
        }
    }
    assert_eq!((ids, streams(&server).len()), ((1..=18).collect::<Vec<_>>(), 6));
}

#[test]
fn streams_can_move_between_threads() {
    fn can_move<T: Send>(_: &T) {}
    let client = TraceHubQueryClient::new("http://hub").unwrap();
    let mut stream = client.follow(&StreamFilter::new());
    can_move(&stream);
    can_move(&stream.next());
    assert!(format!("{stream:?}").contains("not started"));
}
