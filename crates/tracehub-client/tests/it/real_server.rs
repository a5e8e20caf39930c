//! The query client against the real server: filters, pages, calls, and following over restarts.

use std::time::Duration;

use tracehub_client::{
    ChainStatus, Clocks, CorrelationQuery, Direction, FlushOutcome, Interruption, QueryError, RecentQuery, ResumeEvent,
    ResumingStream, StreamFilter, TraceEntry, TraceHubClient, TraceHubQueryClient,
};

use crate::support::{LONG, RealServer};

fn entry(source: &str, chain: &str, direction: Direction, number: u32) -> TraceEntry {
    TraceEntry::builder(source, chain)
        .direction(direction)
        .operation("REST")
        .endpoint("/x")
        .hostname("web")
        .timestamp(1_706_803_200_000.0 + f64::from(number))
        .suffix(number.to_string())
        .build()
        .expect("a valid entry")
}

fn send(url: &str, entries: impl IntoIterator<Item = TraceEntry>) {
    let client = TraceHubClient::builder(url).build().expect("the settings are valid");
    for entry in entries {
        client.send(entry).expect("there is room");
    }
    assert_eq!(client.flush(LONG), FlushOutcome::Complete);
    assert_eq!(client.stats().pending, 0);
}

#[tokio::test]
async fn filters_pages_calls_and_newest_entries() {
    let server = RealServer::start();
    let query = TraceHubQueryClient::new(&server.url()).unwrap();
    // Even chains come back, odd ones do not.
    send(
        &server.url(),
        (0..20_u32).flat_map(|number| {
            let chain = format!("c-{number:02}");
            let enter = entry(if number < 5 { "WK" } else { "MA" }, &chain, Direction::Enter, number * 100);
            let leave = entry(if number < 5 { "WK" } else { "MA" }, &chain, Direction::Leave, number * 101);
            std::iter::once(enter).chain((number % 2 == 0).then_some(leave))
        }),
    );

    let stuck = CorrelationQuery::new().status(ChainStatus::Incomplete).source("WK");
    let ids: Vec<String> =
        query.correlations(&stuck).await.unwrap().correlations.into_iter().map(|chain| chain.correlation_id).collect();
    assert_eq!(ids, ["c-03", "c-01"]);
    let slow = CorrelationQuery::new().min_duration_ms(18.0).prefix("c-").host("web").operation("REST").endpoint("/x");
    assert_eq!(query.correlations(&slow).await.unwrap().count, 1);
    assert_eq!(query.correlations(&CorrelationQuery::new().since(4e12)).await.unwrap().count, 0);

    let mut pages = query.correlation_pages(CorrelationQuery::new().limit(3));
    let (mut ids, mut most) = (Vec::new(), 0);
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        most = most.max(page.correlations.len());
        ids.extend(page.correlations.into_iter().map(|chain| chain.correlation_id));
    }
    assert_eq!(ids, (0..20).rev().map(|number| format!("c-{number:02}")).collect::<Vec<_>>());
    assert_eq!(most, 3);

    let calls = query.calls("c-18", Clocks::Corrected).await.unwrap();
    assert_eq!((calls.calls.len(), calls.duration_ms), (1, 18.0));
    assert!(query.calls("nobody", Clocks::AsLogged).await.unwrap().calls.is_empty());
    let compared = query.compare("c-16", "c-18", Clocks::AsLogged).await.unwrap();
    assert_eq!(compared.calls[0].slower_ms, Some(2.0));
    let err = query.compare("c-16", "", Clocks::Corrected).await.unwrap_err();
    assert!(matches!(err, QueryError::Status { status: 422, .. }), "{err}");

    let newest = query.recent(&RecentQuery::new().limit(1)).await.unwrap();
    assert_eq!((newest.last_id.0, newest.traces[0].entry.correlation_id()), (30, "c-19"));
    let older = query.recent(&RecentQuery::new().since_id(25).source("MA")).await.unwrap();
    assert_eq!(older.traces.iter().map(|recent| recent.id.0).collect::<Vec<_>>(), [26, 27, 28, 29, 30]);
}

/// Takes entries until there are so many in all; gives the interruptions on the way.
async fn take(stream: &mut ResumingStream, suffixes: &mut Vec<String>, until: usize) -> Vec<Interruption> {
    let mut interruptions = Vec::new();
    while suffixes.len() < until {
        let event = tokio::time::timeout(LONG, stream.next()).await.expect("an event in time");
        match event.expect("the stream goes on").expect("no error") {
            ResumeEvent::Entry { entry, .. } => suffixes.push(entry.suffix().to_owned()),
            ResumeEvent::Interrupted { cause, .. } => interruptions.push(cause),
            _ => {}
        }
    }
    interruptions
}

#[tokio::test]
async fn streams_go_on_over_a_stop_and_a_crash_and_nothing_is_repeated_or_missed() {
    let mut server = RealServer::start();
    let url = server.url();
    let query = TraceHubQueryClient::new(&url).unwrap();
    let numbered = |range: std::ops::Range<u32>| range.map(|number| entry("MA", "c1", Direction::Enter, number));
    send(&url, numbered(0..10));

    let mut chain = query.follow_traces("c1", None).unwrap();
    let mut all = query.follow(&StreamFilter::new().source("MA"));
    let (mut of_chain, mut of_all) = (Vec::new(), Vec::new());
    assert_eq!(take(&mut chain, &mut of_chain, 10).await, []);
    assert!(matches!(all.next().await, Some(Ok(ResumeEvent::Connected { after: Some(10), anew: false }))));

    // Committed while nobody asks, then a stop that the listeners are told of.
    send(&url, numbered(10..15));
    server.stop();
    server.start_again();
    send(&url, numbered(15..20));
    let causes = take(&mut chain, &mut of_chain, 20).await;
    assert_eq!(causes.first(), Some(&Interruption::Shutdown));
    take(&mut all, &mut of_all, 10).await;

    server.kill();
    server.start_again();
    send(&url, numbered(20..30));
    let causes = take(&mut chain, &mut of_chain, 30).await;
    assert!(matches!(causes.first(), Some(Interruption::Failed(QueryError::Unreachable { .. }))), "{causes:?}");
    take(&mut all, &mut of_all, 20).await;

    let expected: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    assert_eq!(of_chain, expected);
    assert_eq!(of_all, expected[10..]);
    assert_eq!((chain.last_id(), chain.connections(), all.last_id()), (Some(30), 3, Some(30)));
}

#[tokio::test]
async fn a_stream_ends_at_its_own_time_over_a_restart_too() {
    let mut server = RealServer::start();
    let query = TraceHubQueryClient::new(&server.url()).unwrap();
    let mut stream = query.follow(&StreamFilter::new().timeout(Duration::from_secs(1)));
    assert!(matches!(stream.next().await, Some(Ok(ResumeEvent::Connected { after: Some(0), anew: false }))));
    server.stop();
    server.start_again();
    assert!(stream.next_entry().await.is_none());
    assert_eq!(stream.connections(), 2);
}
