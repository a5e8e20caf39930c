//! Narrowed questions, calls, comparisons, newest entries and pages: what is asked, and what becomes of strange answers.

use std::sync::Arc;

use tracehub_client::{
    CallStatus, ChainStatus, Clocks, CorrelationQuery, EntryId, QueryError, RecentQuery, StreamFilter,
    TraceHubQueryClient,
};

use crate::support::{Reply, Server};

const NO_CHAINS: &str = r#"{"correlations":[],"count":0}"#;

fn query(server: &Server) -> TraceHubQueryClient {
    TraceHubQueryClient::new(&server.url()).expect("the url is valid")
}

fn answering(status: u16, body: impl Into<String>) -> Server {
    let body = body.into();
    Server::start(move |_, _| Reply::Status(status, body.clone()))
}

fn targets(server: &Server) -> Vec<String> {
    server.requests().into_iter().map(|request| request.target).collect()
}

/// A page of chains with these ids, as the real server writes it, or as the Python one does.
fn page(ids: &[&str], next: Option<i64>, python: bool) -> String {
    let complete = if python { "" } else { r#","complete":true"# };
    let chains: Vec<String> = ids
        .iter()
        .map(|id| {
            format!(
                r#"{{"correlation_id":"{id}","trace_count":2,"first_ts":1.0,"last_ts":3.0,"duration_ms":2,"sources":["MA"]{complete}}}"#
            )
        })
        .collect();
    let next = next.map_or(String::new(), |next| format!(r#","next_cursor":{next}"#));
    format!(r#"{{"correlations":[{}],"count":{}{next}}}"#, chains.join(","), ids.len())
}

fn recent(entries: &[&str], last_id: i64) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|id| {
            format!(
                r#"{{"id":{id},"source_id":"MA","correlation_id":"c1","timestamp":1.5,"suffix":"a","direction":"->","operation":"REST","endpoint":"/x","data":{{"n":1.50}},"hostname":"h","raw_line":null}}"#
            )
        })
        .collect();
    format!(r#"{{"traces":[{}],"count":{},"last_id":{last_id}}}"#, entries.join(","), entries.len())
}

#[tokio::test]
async fn every_filter_is_sent_and_encoded() {
    let server = answering(200, NO_CHAINS);
    let narrow = CorrelationQuery::new()
        .limit(7)
        .status(ChainStatus::Incomplete)
        .source("M A")
        .endpoint("/x?y=1&z")
        .host("web")
        .operation("REST")
        .prefix("order-é")
        .min_duration_ms(1.5)
        .since(1_706_803_200_123.0)
        .cursor(EntryId(99));
    query(&server).correlations(&narrow).await.unwrap();
    let none = CorrelationQuery::new().source("").endpoint("").host("").operation("").prefix("");
    query(&server).correlations(&none).await.unwrap();
    let expected = "/correlations?include=complete&limit=7&status=incomplete&source=M+A&endpoint=%2Fx%3Fy%3D1%26z\
        &host=web&operation=REST&q=order-%C3%A9&min_duration_ms=1.5&since=1706803200123&cursor=99";
    assert_eq!(targets(&server), [expected, "/correlations?include=complete"]);
}

#[tokio::test]
async fn streams_say_what_they_want_and_where_they_begin() {
    let server = Server::start(|_, _| Reply::Events(vec!["data: {\"type\": \"timeout\"}\n\n".to_owned()]));
    let filter = StreamFilter::new().source("MA").endpoint("/x").host("h").operation("o").correlation_prefix("c");
    query(&server).stream(&filter.after(12).timeout(std::time::Duration::from_millis(1_001))).await.unwrap();
    query(&server).stream(&StreamFilter::new().source("")).await.unwrap();
    let expected = "/stream?source=MA&endpoint=%2Fx&host=h&operation=o&correlation_id=c&timeout=2";
    assert_eq!(targets(&server), [expected, "/stream"]);
    let began: Vec<Option<String>> =
        server.requests().iter().map(|request| request.header("last-event-id").map(str::to_owned)).collect();
    assert_eq!(began, [Some("12".to_owned()), None]);
}

#[tokio::test]
async fn calls_and_comparisons_are_read() {
    let server = Server::start(|_, request| {
        let body = match request.target.as_str() {
            "/traces/a%2Fb/calls?skew=on" => {
                r#"{"correlation_id":"a/b","count":1,"complete":false,"start":1.0,"end":1.0,"duration_ms":0.0,"calls":[{"parent":null,"depth":0,"status":"unfinished","source_id":"MA","hostname":"web","operation":"REST","endpoint":"/x","start":1.0,"end":null,"duration_ms":null,"self_ms":null,"enter":0,"leave":null,"marks":[]}],"marks":[],"critical_path":[],"longest_gap":null,"sources":[{"source_id":"MA","entries":1,"calls":1,"self_ms":0.0}],"skew":[],"new":1}"#
            }
            "/compare?a=a%26b&b=..&skew=off" => {
                r#"{"a":{"correlation_id":"a&b","count":0,"complete":false,"duration_ms":0.0},"b":{"correlation_id":"..","count":0,"complete":false,"duration_ms":0.0},"calls":[],"missing":0,"added":0}"#
            }
            other => return Reply::Status(404, format!("{{\"detail\":\"{other}\"}}")),
        };
        Reply::Status(200, body.to_owned())
    });
    let calls = query(&server).calls("a/b", Clocks::Corrected).await.unwrap();
    assert_eq!((calls.calls[0].status, calls.sources[0].entries), (CallStatus::Unfinished, 1));
    let compared = query(&server).compare("a&b", "..", Clocks::AsLogged).await.unwrap();
    assert_eq!((compared.b.correlation_id.as_str(), compared.missing), ("..", 0));
}

#[tokio::test]
async fn newest_entries_have_ids_and_their_data_as_it_was() {
    let server = answering(200, recent(&["3", "5"], 9));
    let answer = query(&server).recent(&RecentQuery::new().since_id(2).limit(10).source("MA")).await.unwrap();
    assert_eq!(answer.last_id, EntryId(9));
    assert_eq!(answer.traces.iter().map(|recent| recent.id.0).collect::<Vec<_>>(), [3, 5]);
    assert_eq!(answer.traces[1].entry.data(), Some(r#"{"n":1.50}"#));
    assert_eq!(targets(&server), ["/recent?since_id=2&limit=10&source=MA"]);
}

/// Each would make whoever polls repeat or miss something.
#[tokio::test]
async fn newest_entries_that_go_backwards_or_have_no_number_are_refused() {
    let cases: [(&[&str], i64); 6] =
        [(&["5", "5"], 9), (&["5", "4"], 9), (&["2"], 9), (&["3", "5"], 4), (&["\"3\""], 9), (&["9e99"], 9)];
    for (ids, last_id) in cases {
        let server = answering(200, recent(ids, last_id));
        let err = query(&server).recent(&RecentQuery::new().since_id(2)).await.unwrap_err();
        assert!(matches!(err, QueryError::Malformed { .. }), "{ids:?}: {err}");
    }
    let server = answering(200, recent(&[], 1));
    let err = query(&server).recent(&RecentQuery::new().since_id(2)).await.unwrap_err();
    assert!(matches!(err, QueryError::Malformed { .. }), "{err}");
}

#[tokio::test]
async fn pages_follow_the_cursor_to_the_end() {
    let server = Server::start(|number, _| {
        Reply::Status(
            200,
            match number {
                0 => page(&["c5", "c4"], Some(40), false),
                1 => page(&[], Some(20), false),
                _ => page(&["c1", "c0"], None, false),
            },
        )
    });
    let mut pages = query(&server).correlation_pages(CorrelationQuery::new().source("MA").limit(2));
    let mut ids = Vec::new();
    while let Some(page) = pages.next().await {
        ids.extend(page.unwrap().correlations.into_iter().map(|chain| chain.correlation_id));
    }
    assert_eq!(ids, ["c5", "c4", "c1", "c0"]);
    let asked = "/correlations?include=complete&limit=2&source=MA";
    assert_eq!(targets(&server), [asked.to_owned(), format!("{asked}&cursor=40"), format!("{asked}&cursor=20")]);
}

#[tokio::test]
async fn pages_that_never_end_are_refused() {
    for next in [40, 41, -1] {
        let server = Server::start(move |number, _| {
            Reply::Status(200, page(&["c1"], Some(if number == 0 { 40 } else { next }), false))
        });
        let mut pages = query(&server).correlation_pages(CorrelationQuery::new());
        assert!(pages.next().await.unwrap().is_ok());
        let err = pages.next().await.unwrap().unwrap_err();
        assert!(matches!(err, QueryError::Malformed { .. }), "{next}: {err}");
        assert!(pages.next().await.is_none());
    }
    let server = answering(503, "");
    let mut pages = query(&server).correlation_pages(CorrelationQuery::new());
    assert!(matches!(pages.next().await, Some(Err(QueryError::Status { status: 503, .. }))));
    assert!(pages.next().await.is_none());
}

#[tokio::test]
async fn a_server_without_the_route_is_named() {
    let server = answering(404, r#"{"detail":"Not Found"}"#);
    let query = query(&server);
    let errors = [
        query.calls("c1", Clocks::default()).await.unwrap_err(),
        query.compare("c1", "c2", Clocks::default()).await.unwrap_err(),
        query.recent(&RecentQuery::new()).await.unwrap_err(),
        query.stream(&StreamFilter::new()).await.unwrap_err(),
    ];
    let lacking = ["GET /traces/{id}/calls", "GET /compare", "GET /recent", "GET /stream"];
    assert_eq!(errors, lacking.map(|what| QueryError::Unsupported { url: server.url(), what }));
    assert!(errors[1].to_string().contains("has no GET /compare; the Python server lacks it"), "{}", errors[1]);
}

#[tokio::test]
async fn a_server_that_does_not_filter_is_found_out() {
    let server = answering(200, page(&["c1", "c2"], None, true));
    let query = query(&server);
    let filters = [
        CorrelationQuery::new().source("MA"),
        CorrelationQuery::new().prefix("x"),
        CorrelationQuery::new().since(1.0),
        CorrelationQuery::new().cursor(3),
    ];
    for filter in filters {
        let err = query.correlations(&filter).await.unwrap_err();
        assert!(matches!(err, QueryError::Unsupported { .. }), "{filter:?}: {err}");
    }
    assert_eq!(query.correlations(&CorrelationQuery::new().limit(2)).await.unwrap().count, 2);
    let mut short = query.correlation_pages(CorrelationQuery::new().limit(3));
    assert_eq!(short.next().await.unwrap().unwrap().count, 2);
    let mut full = query.correlation_pages(CorrelationQuery::new().limit(2));
    assert!(matches!(full.next().await, Some(Err(QueryError::Unsupported { .. }))));
}

#[tokio::test]
async fn huge_answers_are_refused_whether_their_length_is_said_or_not() {
    let body = page(&vec!["c1"; 2_000], None, false);
    let declared = answering(200, body.clone());
    let undeclared = Arc::new(format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{body}").into_bytes());
    let undeclared = Server::start(move |_, _| Reply::Raw(undeclared.to_vec()));
    for server in [declared, undeclared] {
        let all = query(&server).correlations(&CorrelationQuery::new()).await.unwrap();
        assert_eq!(all.correlations.len(), 2_000);
        let bounded = query(&server).with_answer_limit(body.len() - 1);
        let err = bounded.correlations(&CorrelationQuery::new()).await.unwrap_err();
        assert!(matches!(&err, QueryError::Malformed { reason, .. } if reason.contains("bytes")), "{err}");
    }
}

#[tokio::test]
async fn answers_of_something_else_say_so() {
    let cases: [(&str, &str); 5] = [
        ("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>", "text/html"),
        ("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"correlations\":", "EOF"),
        ("HTTP/1.1 200 OK\r\n\r\n\u{feff}[]", "expected"),
        ("HTTP/1.1 200 OK\r\n\r\nnull", "null"),
        ("HTTP/1.1 200 OK\r\n\r\n{\"correlations\":[],\"count\":-1}", "-1"),
    ];
    for (answer, expected) in cases {
        let server = Server::start(move |_, _| Reply::Raw(answer.as_bytes().to_vec()));
        let err = query(&server).correlations(&CorrelationQuery::new()).await.unwrap_err();
        assert!(matches!(&err, QueryError::Malformed { reason, .. } if reason.contains(expected)), "{answer}: {err}");
    }
    let deep = "[".repeat(100_000);
    let server = answering(200, deep);
    let err = query(&server).calls("c1", Clocks::default()).await.unwrap_err();
    assert!(matches!(err, QueryError::Malformed { .. }), "{err}");
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{";
    let server = Server::start(move |_, _| Reply::Raw(cut.as_bytes().to_vec()));
    let err = query(&server).recent(&RecentQuery::new()).await.unwrap_err();
    assert!(matches!(err, QueryError::Unreachable { .. }), "{err}");
}

#[tokio::test]
async fn ids_that_no_path_can_hold_are_refused_before_anything_is_sent() {
    let server = answering(200, NO_CHAINS);
    let query = query(&server);
    for id in ["", ".", ".."] {
        let errors = [
            query.get_traces(id, None).await.unwrap_err(),
            query.calls(id, Clocks::default()).await.unwrap_err(),
            query.stream_traces(id, std::time::Duration::ZERO).await.unwrap_err(),
            query.follow_traces(id, None).unwrap_err(),
        ];
        assert!(errors.iter().all(|err| matches!(err, QueryError::InvalidUrl { .. })), "{errors:?}");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn only_what_may_pass_is_worth_another_try() {
    let status = |status| QueryError::Status { status, message: String::new() };
    for passing in [408, 429, 500, 502, 503, 504] {
        assert!(status(passing).may_pass(), "{passing}");
    }
    for lasting in [204, 307, 400, 404, 413, 422] {
        assert!(!status(lasting).may_pass(), "{lasting}");
    }
}
