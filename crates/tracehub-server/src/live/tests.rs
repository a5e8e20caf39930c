//! Store, hub and streams together, without HTTP between them: every interleaving can be made.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use clap::Parser as _;
use futures_util::{Stream, StreamExt as _};
use proptest::prelude::*;
use tracehub_core::store::sqlite::{OpenOptions, open};
use tracehub_core::store::{EntryId, StoreWriter};
use tracehub_core::wire::ingest::IngestBatch;

use super::admission::Admission;
use super::frame::{self, Committed};
use super::hub::Hub;
use super::stream::{Course, events};
use super::subject::{Filter, Subject};
use crate::access::Access;
use crate::args::Args;
use crate::ingest::Ingest;
use crate::reader::Reader;
use crate::state::State;

/// A server without HTTP and without its writer's thread.
struct Fixture {
    state: State,
    writer: Box<dyn StoreWriter>,
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (writer, reader) = open(&OpenOptions::new(folder.path().join("tracehub.db"))).unwrap();
        let (_, config) = crate::config::resolve(&Args::parse_from(["tracehub-server"])).unwrap();
        let state = State {
            access: Arc::new(Access::new(&config)),
            config: Arc::new(config),
            ingest: Ingest::new().0,
            reader: Reader::new(Arc::new(reader)),
            hub: Arc::new(Hub::default()),
            pulse: Arc::default(),
            commits: Arc::default(),
            requests: Arc::default(),
            slow: Arc::default(),
            condition: Arc::default(),
            streams: Admission::default(),
            ingest_limit: None,
            bodies: crate::extract::room::BodyRoom::default(),
            started: std::time::Instant::now(),
        };
        Self { state, writer: Box::new(writer), _folder: folder }
    }

    /// Commits an entry of each of these chains; nobody hears of it yet.
    fn commit(&mut self, chains: &[u8], timestamp: usize) -> Committed {
        let entries: Vec<String> = chains
            .iter()
            .enumerate()
            .map(|(suffix, chain)| {
                format!(
                    r#"{{"source_id":"MA","correlation_id":"c{chain}","timestamp":{timestamp},"suffix":"{suffix}","direction":"->","operation":"o","endpoint":"e"}}"#
                )
            })
            .collect();
        let batch = IngestBatch::parse(format!(r#"{{"traces":[{}]}}"#, entries.join(",")).into_bytes()).unwrap();
        let batches = vec![batch];
        let receipts = self.writer.ingest(&batches, 1).unwrap();
        Committed { batches, receipts }
    }

    fn stream(&self, subject: Subject, after: EntryId, timeout: Duration) -> Pin<Box<dyn Stream<Item = Bytes>>> {
        let course = Course { after: Some(after), timeout, keepalive: Duration::from_mins(1) };
        let admitted = self.state.streams.admit(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        Box::pin(events(&self.state, subject, course, admitted).map(Result::unwrap_or_default))
    }
}

#[actix_web::test]
async fn what_is_committed_and_not_published_yet_is_history() {
    let mut fixture = Fixture::new();
    fixture.commit(&[0], 1);
    for subject in [Subject::Chain("c0".into()), Subject::All(Arc::default())] {
        let text: Vec<Bytes> = fixture.stream(subject, EntryId::ZERO, Duration::ZERO).collect().await;
        assert!(text[0].starts_with(b"id: 1\ndata: {"), "{text:?}");
        assert_eq!(text[1..], [frame::timeout()]);
    }
}

/// What may happen, in any order.
#[derive(Debug, Clone)]
enum Event {
    /// A group with an entry of each of these chains is committed.
    Commit(Vec<u8>),
    /// What was committed is told to the hub.
    Publish,
    /// The oldest entries are deleted.
    Retention(u32),
    /// A listener reads so many pieces, as far as there are any.
    Read(usize, u8),
    /// A listener loses its connection, and comes back with the id it saw last.
    Reconnect(usize),
}

const LISTENERS: usize = 3;

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => prop::collection::vec(0..3_u8, 1..40).prop_map(Event::Commit),
        4 => Just(Event::Publish),
        1 => (1..60_u32).prop_map(Event::Retention),
        4 => (0..LISTENERS, 1..4_u8).prop_map(|(listener, pieces)| Event::Read(listener, pieces)),
        2 => (0..LISTENERS).prop_map(Event::Reconnect),
    ]
}

/// Somebody who follows a subject and comes back whenever the connection is lost.
struct Follower {
    subject: Subject,
    stream: Pin<Box<dyn Stream<Item = Bytes>>>,
    seen: Vec<i64>,
}

impl Follower {
    fn take(&mut self, text: &Bytes) {
        let text = std::str::from_utf8(text).unwrap();
        self.seen
            .extend(text.lines().filter_map(|line| line.strip_prefix("id: ")).map(|id| id.parse::<i64>().unwrap()));
    }

    /// Reads some pieces; gives up when nothing comes.
    async fn read(&mut self, pieces: u8) {
        for _ in 0..pieces {
            match tokio::time::timeout(Duration::from_millis(20), self.stream.next()).await {
                Ok(Some(text)) => self.take(&text),
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn reconnect(&mut self, fixture: &Fixture) {
        let last = EntryId(self.seen.last().copied().unwrap_or(0));
        self.stream = fixture.stream(self.subject.clone(), last, Duration::from_mins(1));
    }
}

async fn follow(happened: Vec<Event>) -> Result<(), TestCaseError> {
    let mut fixture = Fixture::new();
    let prefix = Filter { prefix: Some("c1".to_owned()), ..Filter::default() };
    let subjects = [Subject::Chain("c0".into()), Subject::All(Arc::default()), Subject::All(Arc::new(prefix))];
    let wanted: [fn(u8) -> bool; LISTENERS] = [|chain| chain == 0, |_| true, |chain| chain == 1];
    let mut followers = subjects.map(|subject| Follower {
        stream: fixture.stream(subject.clone(), EntryId::ZERO, Duration::from_mins(1)),
        subject,
        seen: Vec::new(),
    });
    // The chain of each entry, by its id; the first has id 1.
    let mut committed: Vec<u8> = Vec::new();
    let mut deleted = 0;
    let mut unpublished = Vec::new();
    for (time, event) in happened.into_iter().enumerate() {
        match event {
            Event::Commit(chains) => {
                unpublished.push(fixture.commit(&chains, time));
                committed.extend(chains);
            }
            Event::Publish => unpublished.drain(..).for_each(|group| fixture.state.hub.publish(&group)),
            Event::Retention(entries) => deleted += fixture.writer.delete_oldest(entries).unwrap().entries,
            Event::Read(follower, pieces) => followers[follower].read(pieces).await,
            Event::Reconnect(follower) => followers[follower].reconnect(&fixture),
        }
    }
    unpublished.drain(..).for_each(|group| fixture.state.hub.publish(&group));
    for (follower, wanted) in followers.iter_mut().zip(wanted) {
        follower.read(u8::MAX).await;
        prop_assert!(follower.seen.is_sorted_by(|a, b| a < b), "repeated or out of order: {:?}", follower.seen);
        let deleted = i64::try_from(deleted).unwrap();
        let seen: Vec<i64> = follower.seen.iter().copied().filter(|id| *id > deleted).collect();
        let stored: Vec<i64> =
            (1..).zip(&committed).filter(|(id, chain)| *id > deleted && wanted(**chain)).map(|(id, _)| id).collect();
        prop_assert_eq!(seen, stored, "what is stored and what was seen differ");
        let all_wanted = follower.seen.iter().all(|id| wanted(committed[usize::try_from(*id).unwrap() - 1]));
        prop_assert!(all_wanted);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn history_and_live_together_are_what_is_stored(events in prop::collection::vec(any_event(), 1..30)) {
        actix_web::rt::System::new().block_on(follow(events))?;
    }
}
