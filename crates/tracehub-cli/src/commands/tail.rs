//! `tail`: entries as they come, over lost connections and restarts of the server.

use std::time::Duration;

use tokio::time::timeout;
use tracehub_client::{Interruption, QueryError, RecentQuery, ResumeEvent, ResumingStream, StreamFilter, TraceEntry};
use tracehub_core::query::PlaceFilter;

use super::chain_id;
use crate::args::{PlaceArgs, TailArgs};
use crate::failure::Failure;
use crate::output::{self, Screen};
use crate::settings::Settings;

/// What a chain has comes at once; after so much time without anything there is nothing.
const UNKNOWN_AFTER: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: &TailArgs, settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    let seconds = if args.no_follow { Some(0) } else { args.timeout };
    let limit = seconds.map(Duration::from_secs);
    let begin = match args.since {
        Some(since) => Some(settings.client.recent(&RecentQuery::new().since(since).limit(0)).await?.last_id),
        None => None,
    };
    let place = place(&args.place);
    if let Some(id) = &args.correlation_id {
        let stream = settings.client.follow_traces(id, limit)?;
        let stream = match begin {
            Some(begin) => stream.starting_after(begin.0),
            None => stream,
        };
        // The server filters the stream of all chains alone.
        let seen = entries(stream, screen, |entry| place.matches(&entry.as_ref()), Whose::Chain(id)).await?;
        return match seen {
            // With the whole chain asked for, nothing means that there is none.
            0 if args.no_follow && begin.is_none() => Err(chain_id::not_there(id, settings).await),
            _ => Ok(()),
        };
    }
    let filter = filter(args, limit);
    let filter = match begin {
        Some(begin) => filter.after(begin),
        // All that is stored.
        None if args.no_follow => filter.after(0),
        None => filter,
    };
    entries(settings.client.follow(&filter), screen, |_| true, Whose::All).await?;
    Ok(())
}

/// Whose entries a stream brings.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whose<'a> {
    /// Those of one chain.
    Chain(&'a str),
    /// Those of all chains.
    All,
}

fn place(args: &PlaceArgs) -> PlaceFilter {
    let PlaceArgs { source, endpoint, host, operation } = args.clone();
    PlaceFilter { source_id: source, endpoint, hostname: host, operation }
}

fn filter(args: &TailArgs, limit: Option<Duration>) -> StreamFilter {
    // An empty text does not restrict.
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let place = &args.place;
    let filter = StreamFilter::new().source(text(&place.source)).endpoint(text(&place.endpoint));
    let filter = filter.host(text(&place.host)).operation(text(&place.operation));
    let filter = filter.correlation_prefix(text(&args.prefix));
    match limit {
        Some(limit) => filter.timeout(limit),
        None => filter,
    }
}

/// Shows what a stream brings, until it ends. Gives how many entries came, wanted or not.
pub(crate) async fn entries(
    mut stream: ResumingStream,
    screen: &mut Screen,
    wanted: impl Fn(&TraceEntry) -> bool,
    whose: Whose<'_>,
) -> Result<u64, Failure> {
    let (mut connection, mut seen, mut is_quiet) = (Connection::default(), 0, false);
    loop {
        let event = match whose {
            Whose::Chain(id) if seen == 0 && !is_quiet => {
                let Ok(event) = timeout(UNKNOWN_AFTER, stream.next()).await else {
                    // Perhaps the id was mistyped, and whoever waits should know.
                    is_quiet = stream.connections() > 0;
                    if is_quiet {
                        output::warn(&format!("nothing has come for {id:?} yet; waiting for it"));
                    }
                    continue;
                };
                event
            }
            _ => stream.next().await,
        };
        match event {
            Some(Ok(ResumeEvent::Entry { entry, .. })) => {
                seen += 1;
                if wanted(&entry) {
                    screen.entry(&entry, matches!(whose, Whose::All))?;
                    // Live means now, not when a buffer is full.
                    screen.flush()?;
                }
            }
            Some(Ok(ResumeEvent::Timeout)) | None => return Ok(seen),
            Some(Ok(event)) => connection.note(&event, stream.connections())?,
            Some(Err(err @ QueryError::Malformed { .. })) => output::warn(&err.to_string()),
            Some(Err(err)) => return Err(err.into()),
        }
    }
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
            ResumeEvent::Connected { anew, .. } if self.is_lost => {
                output::warn(if *anew {
                    "connected again; what the server had is gone (has it a new database?), all that it has now comes"
                } else {
                    "connected again"
                });
                self.is_lost = false;
            }
            _ => {}
        }
        Ok(())
    }
}
