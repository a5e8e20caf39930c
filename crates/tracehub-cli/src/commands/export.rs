//! `export`: a chain, or everything, as lines of JSON.

use std::io;
use std::time::Duration;

use tracehub_client::{QueryError, RecentAnswer, RecentQuery, TraceEntry};

use crate::args::ExportArgs;
use crate::failure::Failure;
use crate::output::{EntryFile, Screen};
use crate::settings::Settings;

/// Entries per question: some megabytes at the usual size. The server ends an answer at 8 MiB too.
const PAGE: u32 = 2_000;
/// How often a question is asked again while the server is busy.
const RETRIES: u32 = 5;

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
    let mut write = |entry: &TraceEntry| {
        if wanted(args, entry) { target.line(entry).map_err(failure) } else { Ok(()) }
    };
    match &args.correlation_id {
        Some(id) => one(id, args, settings, &mut write).await?,
        None => everything(args, settings, &mut write).await?,
    }
    match target {
        Target::File(file) => file.finish().map_err(failure),
        Target::Screen(_) => Ok(()),
    }
}

type Write<'a> = dyn FnMut(&TraceEntry) -> Result<(), Failure> + 'a;

async fn one(id: &str, args: &ExportArgs, settings: &Settings, write: &mut Write<'_>) -> Result<(), Failure> {
    let answer = settings.client.get_traces(id, args.place.source.as_deref()).await?;
    if answer.traces.is_empty() {
        let id = id.to_owned();
        return Err(match &args.place.source {
            Some(source) => Failure::UnknownSource { id, source_id: source.clone() },
            None => Failure::UnknownChain { id, url: settings.client.url().to_owned(), nearest: Vec::new() },
        });
    }
    answer.traces.iter().try_for_each(write)
}

/// What there is now, page by page. Entries that come meanwhile are left out, or there would be no end.
async fn everything(args: &ExportArgs, settings: &Settings, write: &mut Write<'_>) -> Result<(), Failure> {
    let end = ask(settings, &RecentQuery::new().limit(0)).await?.last_id;
    let mut query = RecentQuery::new().limit(PAGE);
    if let Some(source) = &args.place.source {
        query = query.source(source);
    }
    let mut last = 0.into();
    while last < end {
        let page = ask(settings, &query.clone().since_id(last)).await?;
        page.traces.iter().filter(|recent| recent.id <= end).try_for_each(|recent| write(&recent.entry))?;
        if page.last_id <= last {
            // The newest entries were deleted meanwhile.
            break;
        }
        last = page.last_id;
    }
    Ok(())
}

/// A question, again while the server is busy: an hour's work must not end for a second's.
async fn ask(settings: &Settings, query: &RecentQuery) -> Result<RecentAnswer, Failure> {
    let mut retried = 0;
    loop {
        match settings.client.recent(query).await {
            Err(QueryError::Status { status: 429 | 502 | 503 | 504, .. }) if retried < RETRIES => {
                tokio::time::sleep(Duration::from_millis(200) * 2_u32.saturating_pow(retried)).await;
                retried += 1;
            }
            outcome => return Ok(outcome?),
        }
    }
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
    fn line(&mut self, entry: &TraceEntry) -> io::Result<()> {
        match self {
            Self::Screen(screen) => screen.line(entry),
            Self::File(file) => file.line(entry),
        }
    }
}
