//! `export`: a chain, or everything, as lines of JSON.

use std::io;
use std::time::Duration;

use tracehub_client::{EntryId, QueryError, RecentAnswer, RecentQuery, TraceEntry};

use super::chain_id;
use crate::args::ExportArgs;
use crate::failure::Failure;
use crate::output::{EntryFile, Progress, Screen};
use crate::settings::Settings;

/// Entries per question: some megabytes at the usual size. The server ends an answer at 8 MiB too.
const PAGE: u32 = 2_000;
/// How often a question is asked again while the server is busy or gone: half a minute of waits in all, in which a
/// server starts again.
const RETRIES: u32 = 10;
/// The first wait; each further one is twice as long.
const BASE_WAIT: Duration = Duration::from_millis(200);
/// The longest wait.
const MAX_WAIT: Duration = Duration::from_secs(5);

pub(crate) async fn run(args: &ExportArgs, settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    let failure = |source| match &args.output_file {
        Some(path) => Failure::File { path: path.clone(), what: "write", source },
        None => Failure::Output(source),
    };
    let file = args.output_file.as_deref().map(EntryFile::create).transpose().map_err(failure)?;
    let mut target = match file {
        Some(file) => Target::File(file),
        None => Target::Screen(screen),
    };
    let beside_screen = target.is_beside_screen();
    let mut write = |entry: &TraceEntry| {
        if wanted(args, entry) { target.line(entry).map_err(failure).map(|()| true) } else { Ok(false) }
    };
    match &args.correlation_id {
        Some(id) => one(id, args, settings, &mut write).await?,
        None => everything(args, settings, &mut write, beside_screen).await?,
    }
    match target {
        Target::File(file) => file.finish().map_err(failure),
        Target::Screen(_) => Ok(()),
    }
}

/// Writes an entry if it is wanted, and says whether it was.
type Write<'a> = dyn FnMut(&TraceEntry) -> Result<bool, Failure> + 'a;

async fn one(id: &str, args: &ExportArgs, settings: &Settings, write: &mut Write<'_>) -> Result<(), Failure> {
    let answer = settings.client.get_traces(id, args.place.source.as_deref()).await?;
    if answer.traces.is_empty() {
        let whole = settings.client.get_traces(id, None).await?;
        return Err(match &args.place.source {
            Some(source) if !whole.traces.is_empty() => {
                Failure::UnknownSource { id: id.to_owned(), source_id: source.clone() }
            }
            _ => chain_id::not_there(id, settings).await,
        });
    }
    answer.traces.iter().try_for_each(|entry| write(entry).map(drop))
}

/// What there is now, page by page. Entries that come meanwhile are left out, or there would be no end.
async fn everything(
    args: &ExportArgs,
    settings: &Settings,
    write: &mut Write<'_>,
    beside_screen: bool,
) -> Result<(), Failure> {
    let mut questions = Questions { settings, met: false };
    let end = questions.ask(&RecentQuery::new().limit(0)).await?.last_id;
    let mut query = RecentQuery::new().limit(PAGE);
    if let Some(source) = &args.place.source {
        query = query.source(source);
    }
    let (mut last, mut written, mut progress) = (0.into(), 0, None);
    while last < end {
        let page = questions.ask(&query.clone().since_id(last)).await?;
        for recent in page.traces.iter().filter(|recent| recent.id <= end) {
            written += u64::from(write(&recent.entry)?);
        }
        // Ids before the oldest entry were deleted long ago, and say nothing of how much there is.
        let (first, progress) = progress.get_or_insert_with(|| {
            let first = page.traces.first().map_or(last, |oldest| oldest.id);
            (first, Progress::of_writing(Some(between(first, end)), beside_screen))
        });
        progress.reached(written, between(*first, page.last_id));
        if page.last_id <= last {
            // The newest entries were deleted meanwhile.
            break;
        }
        last = page.last_id;
    }
    if let Some((_, progress)) = progress {
        progress.finish();
    }
    Ok(())
}

fn between(first: EntryId, last: EntryId) -> u64 {
    u64::try_from(last.0 - first.0).unwrap_or_default()
}

/// The questions of one export.
struct Questions<'a> {
    settings: &'a Settings,
    /// Whether the server has answered: one that was never there is not waited for.
    met: bool,
}

impl Questions<'_> {
    /// A question, again while the server is busy or gone: an hour's work must not end for a second's.
    async fn ask(&mut self, query: &RecentQuery) -> Result<RecentAnswer, Failure> {
        let mut retried = 0;
        loop {
            let outcome = self.settings.client.recent(query).await;
            self.met |= !matches!(outcome, Err(QueryError::Unreachable { .. } | QueryError::TimedOut { .. }));
            match outcome {
                Err(err) if self.met && err.may_pass() && retried < RETRIES => {
                    tokio::time::sleep(wait(retried)).await;
                    retried += 1;
                }
                outcome => return Ok(outcome?),
            }
        }
    }
}

fn wait(retried: u32) -> Duration {
    BASE_WAIT.saturating_mul(2_u32.saturating_pow(retried)).min(MAX_WAIT)
}

fn wanted(args: &ExportArgs, entry: &TraceEntry) -> bool {
    let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
    is(&args.place.source, entry.source_id())
        && is(&args.place.endpoint, entry.endpoint())
        && is(&args.place.host, entry.hostname())
        && is(&args.place.operation, entry.operation())
        && args.prefix.as_deref().is_none_or(|prefix| entry.correlation_id().starts_with(prefix))
        && args.since.is_none_or(|since| entry.timestamp() >= since)
}

/// Where lines go.
enum Target<'a> {
    Screen(&'a mut Screen),
    File(EntryFile),
}

impl Target<'_> {
    /// Whether a terminal is free for showing how far it is.
    fn is_beside_screen(&self) -> bool {
        match self {
            Self::Screen(screen) => !screen.is_terminal(),
            Self::File(_) => true,
        }
    }

    fn line(&mut self, entry: &TraceEntry) -> io::Result<()> {
        match self {
            Self::Screen(screen) => screen.line(entry),
            Self::File(file) => file.line(entry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_outlasts_a_restart_of_the_server() {
        let waits: Duration = (0..RETRIES).map(wait).sum();
        assert!(waits > Duration::from_secs(30) && waits < Duration::from_secs(40), "{waits:?}");
    }
}
