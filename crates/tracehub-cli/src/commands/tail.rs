//! `tail`: entries as they come, over lost connections and restarts of the server.

use std::time::Duration;

use tracehub_client::{Interruption, QueryError, RecentQuery, ResumeEvent, ResumingStream, StreamFilter, TraceEntry};
use tracehub_core::query::PlaceFilter;

use crate::args::{PlaceArgs, TailArgs};
use crate::failure::Failure;
use crate::output::{self, Screen};
use crate::settings::Settings;

pub(crate) async fn run(args: &TailArgs, settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    let seconds = if args.no_follow { Some(0) } else { args.timeout };
    let timeout = seconds.map(Duration::from_secs);
    let begin = match args.since {
        Some(since) => Some(settings.client.recent(&RecentQuery::new().since(since).limit(0)).await?.last_id),
        None => None,
    };
    let place = place(&args.place);
    if let Some(id) = &args.correlation_id {
        let stream = settings.client.follow_traces(id, timeout)?;
        let stream = match begin {
            Some(begin) => stream.starting_after(begin.0),
            None => stream,
        };
        // The server filters the stream of all chains alone.
        return entries(stream, screen, |entry| place.matches(&entry.as_ref()), false).await;
    }
    let filter = filter(args, timeout);
    let filter = match begin {
        Some(begin) => filter.after(begin),
        // All that is stored.
        None if args.no_follow => filter.after(0),
        None => filter,
    };
    entries(settings.client.follow(&filter), screen, |_| true, true).await
}

fn place(args: &PlaceArgs) -> PlaceFilter {
    let PlaceArgs { source, endpoint, host, operation } = args.clone();
    PlaceFilter { source_id: source, endpoint, hostname: host, operation }
}

fn filter(args: &TailArgs, timeout: Option<Duration>) -> StreamFilter {
    // An empty text does not restrict.
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let place = &args.place;
    let filter = StreamFilter::new().source(text(&place.source)).endpoint(text(&place.endpoint));
    let filter = filter.host(text(&place.host)).operation(text(&place.operation));
    let filter = filter.correlation_prefix(text(&args.prefix));
    match timeout {
        Some(timeout) => filter.timeout(timeout),
        None => filter,
    }
}

/// Shows what a stream brings, until it ends.
pub(crate) async fn entries(
    mut stream: ResumingStream,
    screen: &mut Screen,
    wanted: impl Fn(&TraceEntry) -> bool,
    with_id: bool,
) -> Result<(), Failure> {
    let mut connection = Connection::default();
    while let Some(event) = stream.next().await {
        match event {
            Ok(ResumeEvent::Entry { entry, .. }) if wanted(&entry) => {
                screen.entry(&entry, with_id)?;
                // Live means now, not when a buffer is full.
                screen.flush()?;
            }
            Ok(ResumeEvent::Timeout) => break,
            Ok(event) => connection.note(&event, stream.connections())?,
            Err(err @ QueryError::Malformed { .. }) => output::warn(&err.to_string()),
            Err(err) => return Err(err.into()),
        }
    }
    Ok(())
}

/// What is said of the connection: once that it is lost, and once that there is another.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    is_lost: bool,
}

impl Connection {
    /// Takes note of an event. Where there never was a connection, nobody waits for another.
    pub(crate) fn note(&mut self, event: &ResumeEvent, connections: u64) -> Result<(), Failure> {
        match event {
            ResumeEvent::Interrupted { cause: Interruption::Failed(err), .. } if connections == 0 => {
                return Err(err.clone().into());
            }
            ResumeEvent::Interrupted { cause, attempt: 1, .. } if !self.is_lost => {
                output::warn(&format!("{cause}; trying again until it is back"));
                self.is_lost = true;
            }
            ResumeEvent::Connected { .. } if self.is_lost => {
                output::warn("connected again");
                self.is_lost = false;
            }
            _ => {}
        }
        Ok(())
    }
}
