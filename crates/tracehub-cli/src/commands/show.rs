//! `show`: one chain as a tree of calls, once or as it grows.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tracehub_client::{ChainAnswer, QueryError, ResumeEvent, ResumingStream};
use tracehub_core::Direction;
use tracehub_core::wire::read::is_complete;

use super::{chain_id, tail};
use crate::args::ShowArgs;
use crate::failure::Failure;
use crate::output::{Live, Screen};
use crate::settings::{Settings, terminal_moves};

/// How often a chain that grows is drawn at the most.
const DRAW_EVERY: Duration = Duration::from_millis(250);
/// How often a chain is drawn of which nothing comes: ages go on.
const AGE_EVERY: Duration = Duration::from_secs(1);
/// Entries that are followed. A chain that grows beyond is no longer something to look at as a whole.
const MAX_FOLLOWED: usize = 100_000;

pub(crate) async fn run(args: &ShowArgs, settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    let answer = chain_id::find(&args.correlation_id, args.source.as_deref(), settings).await?;
    if !args.follow {
        return Ok(screen.chain(&answer, args.log)?);
    }
    let stream = settings.client.follow_traces(&answer.correlation_id, None)?;
    let live = Live::new(terminal_moves());
    if live.is_in_place() && screen.is_table() {
        draw(answer.correlation_id, stream, live, args.log, screen).await
    } else {
        tail::entries(stream, screen, |_| true, tail::Whose::Chain(&args.correlation_id)).await?;
        Ok(())
    }
}

/// Draws the chain whenever it has grown, from its beginning.
async fn draw(
    correlation_id: String,
    mut stream: ResumingStream,
    mut live: Live,
    as_log: bool,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let mut chain = ChainAnswer { correlation_id, traces: Vec::new(), count: 0, complete: false };
    let mut tick = interval(DRAW_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connection = tail::Connection::default();
    let (mut grown, mut drawn) = (false, Instant::now());
    loop {
        tokio::select! {
            event = stream.next() => match event {
                Some(Ok(ResumeEvent::Entry { entry, .. })) => {
                    if chain.traces.len() == MAX_FOLLOWED {
                        return Err(Failure::TooLongToFollow { entries: MAX_FOLLOWED });
                    }
                    let place = chain.traces.partition_point(|other| other.timestamp() <= entry.timestamp());
                    chain.traces.insert(place, entry);
                    grown = true;
                }
                Some(Ok(ResumeEvent::Timeout)) | None => return Ok(()),
                Some(Ok(event)) => {
                    if matches!(event, ResumeEvent::Connected { anew: true, .. }) {
                        // What the server has of the chain comes again.
                        chain.traces.clear();
                    }
                    connection.note(&event, stream.connections())?;
                }
                Some(Err(err @ QueryError::Malformed { .. })) => crate::output::warn(&err.to_string()),
                Some(Err(err)) => return Err(err.into()),
            },
            _ = tick.tick() => if grown || (drawn.elapsed() >= AGE_EVERY && !chain.traces.is_empty()) {
                count(&mut chain);
                screen.redraw_chain(&mut live, &chain, as_log)?;
                (grown, drawn) = (false, Instant::now());
            },
        }
    }
}

fn count(chain: &mut ChainAnswer) {
    let of = |wanted: Direction| chain.traces.iter().filter(|entry| *entry.direction() == wanted).count() as u64;
    chain.complete = is_complete(of(Direction::Enter), of(Direction::Leave));
    chain.count = chain.traces.len() as u64;
}
