//! This client against the Python original's server: entries arrive, and come back listed, whole and live.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tracehub_client::{
    ChainStatus, Clocks, CorrelationQuery, Direction, FlushOutcome, QueryError, RecentQuery, ResumeEvent, StreamEvent,
    StreamFilter, TraceEntry, TraceHubClient, TraceHubQueryClient,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// The original, running with a database of its own. Killed when dropped.
struct Original {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Original {
    fn start() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = manifest.join("../../target/python/bin/python");
        assert!(python.exists(), "the Python original is not installed; `cargo xtask setup` does that");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut child = Command::new(python)
            .arg(manifest.join("tests/python/serve_original.py"))
            .arg("0")
            .arg(folder.path().join("tracehub.db"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the original starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("standard output is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the original says where it listens");
        let url = line.trim().strip_prefix("listening on ").expect("an address").to_owned();
        Self { child, url, _folder: folder }
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn entry(number: u32, direction: Direction) -> TraceEntry {
    // The original takes chain, time and suffix for an entry's identity, so a leave has a suffix of its own.
    let suffix = format!("{number}{}", if direction == Direction::Enter { 'e' } else { 'l' });
    TraceEntry::builder("RS", format!("chain-{}", number % 5))
        .direction(direction)
        .operation("REST")
        .endpoint("/straße/日本")
        .timestamp(1_706_803_200_000.0 + f64::from(number) / 4.0)
        .suffix(suffix)
        .data_json(r#"{"n":18446744073709551615,"text":"ü\n"}"#)
        .build()
        .expect("a valid entry")
}

#[tokio::test]
async fn entries_arrive_at_the_original_and_come_back() {
    let original = Original::start();
    let client = TraceHubClient::builder(&original.url).batch_size(50).timeout(PATIENCE).build().unwrap();
    let query = TraceHubQueryClient::new(&original.url).unwrap().with_timeout(PATIENCE);
    for number in 0..100 {
        client.send(entry(number, Direction::Enter)).unwrap();
        client.send(entry(number, Direction::Leave)).unwrap();
    }
    assert_eq!(client.flush(PATIENCE), FlushOutcome::Complete);
    assert_eq!((client.stats().delivered, client.stats().pending), (200, 0));

    let chain = query.get_traces("chain-3", Some("RS")).await.unwrap();
    assert_eq!((chain.count, chain.complete), (40, true));
    assert_eq!(chain.traces[0].endpoint(), "/straße/日本");
    let listed = query.list_correlations(10).await.unwrap();
    assert_eq!((listed.count, listed.correlations[0].complete), (5, None));
    assert_eq!(query.health().await.unwrap().retention_hours, 24);
    assert_eq!(query.cleanup().await.unwrap().deleted, 0);

    let mut stream = query.stream_traces("chain-3", Duration::from_secs(1)).await.unwrap();
    let mut entries = 0;
    while let Some(event) = stream.next().await {
        match event.unwrap() {
            StreamEvent::Entry { id: None, .. } => entries += 1,
            StreamEvent::Timeout => {}
            other => panic!("the original never says {other:?}"),
        }
    }
    assert_eq!(entries, 40);
    assert_eq!(client.close(PATIENCE).delivered, 200);
}

#[tokio::test]
async fn what_the_original_lacks_is_said() {
    let original = Original::start();
    let client = TraceHubClient::builder(&original.url).timeout(PATIENCE).build().unwrap();
    for number in 0..5 {
        client.send(entry(number, Direction::Enter)).unwrap();
    }
    assert_eq!(client.flush(PATIENCE), FlushOutcome::Complete);
    let query = TraceHubQueryClient::new(&original.url).unwrap().with_timeout(PATIENCE);
    let lacks = |err: QueryError| matches!(err, QueryError::Unsupported { .. });

    assert!(lacks(query.calls("chain-3", Clocks::Corrected).await.unwrap_err()));
    assert!(lacks(query.compare("chain-3", "chain-4", Clocks::Corrected).await.unwrap_err()));
    assert!(lacks(query.recent(&RecentQuery::new()).await.unwrap_err()));
    assert!(lacks(query.stream(&StreamFilter::new()).await.unwrap_err()));
    assert!(lacks(query.follow(&StreamFilter::new()).next().await.unwrap().unwrap_err()));
    // It passes over the filter and lists every chain.
    let complete = CorrelationQuery::new().status(ChainStatus::Complete);
    assert!(lacks(query.correlations(&complete).await.unwrap_err()));

    assert_eq!(query.correlations(&CorrelationQuery::new().limit(3)).await.unwrap().count, 3);
    let mut pages = query.correlation_pages(CorrelationQuery::new());
    assert_eq!(pages.next().await.unwrap().unwrap().count, 5);
    assert!(pages.next().await.is_none());
    let mut pages = query.correlation_pages(CorrelationQuery::new().limit(3));
    assert!(lacks(pages.next().await.unwrap().unwrap_err()));

    let mut stream = query.follow_traces("chain-3", Some(Duration::from_secs(1))).unwrap();
    assert_eq!(stream.next().await, Some(Ok(ResumeEvent::Connected { after: None, anew: false })));
    assert!(matches!(stream.next().await, Some(Ok(ResumeEvent::Entry { id: None, .. }))));
    assert_eq!(stream.next().await, Some(Ok(ResumeEvent::Timeout)));
    assert!(stream.next().await.is_none());
}
