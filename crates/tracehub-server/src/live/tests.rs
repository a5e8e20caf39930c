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

    fn stream(
        &self,
        subject: Subject,
        after: impl Into<Option<EntryId>>,
        timeout: Duration,
    ) -> Pin<Box<dyn Stream<Item = Bytes>>> {
        let course = Course { after: after.into(), timeout, keepalive: Duration::from_mins(1) };
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

#[actix_web::test]
async fn a_stream_that_begins_after_an_answer_begins_after_its_entries() {
    let mut fixture = Fixture::new();
    let group = fixture.commit(&[0, 1], 1);
    fixture.state.hub.advance(&group.receipts);
    // Here it is answered, and somebody who has the answer comes before it is passed on.
    let mut stream = fixture.stream(Subject::All(Arc::default()), None, Duration::from_mins(1));
    assert!(tokio::time::timeout(SILENCE, stream.next()).await.is_err());
    fixture.state.hub.publish(&group);
    let next = fixture.commit(&[2], 2);
    fixture.state.hub.publish(&next);
    let mut text = Vec::new();
    while let Ok(Some(piece)) = tokio::time::timeout(SILENCE, stream.next()).await {
        text.extend_from_slice(&piece);
    }
    assert!(text.starts_with(b"id: 3\n"), "{}", String::from_utf8_lossy(&text));
}

#[actix_web::test]
async fn a_stream_that_looks_through_much_that_is_not_wanted_is_not_silent() {
    let mut fixture = Fixture::new();
    for timestamp in 0..60 {
        fixture.commit(&[0; 200], timestamp);
    }
    let prefix = Filter { prefix: Some("c1".to_owned()), ..Filter::default() };
    let course = Course { after: Some(EntryId::ZERO), timeout: Duration::ZERO, keepalive: Duration::ZERO };
    let admitted = fixture.state.streams.admit(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
    let stream = events(&fixture.state, Subject::All(Arc::new(prefix)), course, admitted);
    let pieces: Vec<Bytes> = stream.map(Result::unwrap_or_default).collect().await;
    let (last, before) = pieces.split_last().unwrap();
    assert_eq!(*last, frame::timeout());
    assert!(before.len() >= 3 && before.iter().all(|piece| *piece == frame::keepalive()), "{pieces:?}");
}

#[actix_web::test]
async fn a_piece_may_end_within_an_event_and_nothing_is_lost_by_it() {
    let mut fixture = Fixture::new();
    fixture.commit(&[0; 200], 1);
    let mut follower = Follower::new(&fixture, Subject::All(Arc::default()));
    assert!(follower.read_piece(Duration::from_secs(10)).await);
    assert!(!follower.begun.is_empty(), "no event was cut in two");
    follower.read_up_to(Some(200)).await;
    assert!(follower.seen.into_iter().eq(1..=200));
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

/// After this nothing more is awaited of a listener.
const SILENCE: Duration = Duration::from_millis(20);

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
    /// What came of an event whose end has not come: a piece may end anywhere.
    begun: Vec<u8>,
    seen: Vec<i64>,
}

impl Follower {
    fn new(fixture: &Fixture, subject: Subject) -> Self {
        let stream = fixture.stream(subject.clone(), EntryId::ZERO, Duration::from_mins(1));
        Self { subject, stream, begun: Vec::new(), seen: Vec::new() }
    }

    fn take(&mut self, piece: &Bytes) {
        self.begun.extend_from_slice(piece);
        while let Some(end) = self.begun.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = self.begun.drain(..end + 2).collect();
            let event = std::str::from_utf8(&event).unwrap();
            self.seen
                .extend(event.lines().find_map(|line| line.strip_prefix("id: ")).map(|id| id.parse::<i64>().unwrap()));
        }
    }

    /// Reads a piece; false when none comes in time.
    async fn read_piece(&mut self, patience: Duration) -> bool {
        let Ok(Some(piece)) = tokio::time::timeout(patience, self.stream.next()).await else { return false };
        self.take(&piece);
        true
    }

    /// Reads some pieces; gives up when nothing comes.
    async fn read(&mut self, pieces: u8) {
        for _ in 0..pieces {
            if !self.read_piece(SILENCE).await {
                return;
            }
        }
    }

    /// Reads up to an entry, however slow this machine is, and then what should not come any more.
    async fn read_up_to(&mut self, last: Option<i64>) {
        while self.seen.last().copied() < last && self.read_piece(Duration::from_secs(10)).await {}
        while self.read_piece(SILENCE).await {}
    }

    /// As a browser does: an event whose end has not come is forgotten.
    fn reconnect(&mut self, fixture: &Fixture) {
        let last = EntryId(self.seen.last().copied().unwrap_or(0));
        self.begun.clear();
        self.stream = fixture.stream(self.subject.clone(), last, Duration::from_mins(1));
    }
}

async fn follow(happened: Vec<Event>) -> Result<(), TestCaseError> {
    let mut fixture = Fixture::new();
    let prefix = Filter { prefix: Some("c1".to_owned()), ..Filter::default() };
    let subjects = [Subject::Chain("c0".into()), Subject::All(Arc::default()), Subject::All(Arc::new(prefix))];
    let wanted: [fn(u8) -> bool; LISTENERS] = [|chain| chain == 0, |_| true, |chain| chain == 1];
    let mut followers = subjects.map(|subject| Follower::new(&fixture, subject));
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
        let deleted = i64::try_from(deleted).unwrap();
        let stored: Vec<i64> =
            (1..).zip(&committed).filter(|(id, chain)| *id > deleted && wanted(**chain)).map(|(id, _)| id).collect();
        follower.read_up_to(stored.last().copied()).await;
        prop_assert!(follower.seen.is_sorted_by(|a, b| a < b), "repeated or out of order: {:?}", follower.seen);
        let seen: Vec<i64> = follower.seen.iter().copied().filter(|id| *id > deleted).collect();
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
