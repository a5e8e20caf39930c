//! `correlations`: the chains that match, once or again and again.

use std::time::Duration;

use tracehub_client::{ChainStatus, CorrelationQuery, CorrelationsAnswer, QueryError};

use crate::args::CorrelationsArgs;
use crate::failure::Failure;
use crate::output::{Live, Screen};
use crate::settings::{Settings, terminal_moves};

/// Chains per question when all are listed.
const PAGE: u32 = 1_000;

pub(crate) async fn run(args: &CorrelationsArgs, settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    let (query, filtered) = query(args);
    if args.all {
        return all(query, filtered, settings, screen).await;
    }
    let answer = list(&query, args.limit, settings).await?;
    match args.watch {
        None => Ok(screen.chains(&answer, filtered)?),
        Some(every) => watch(answer, every, async || list(&query, args.limit, settings).await, screen).await,
    }
}

/// The question, and whether it leaves chains out.
fn query(args: &CorrelationsArgs) -> (CorrelationQuery, bool) {
    let mut query = CorrelationQuery::new();
    if args.incomplete || args.complete {
        query = query.status(if args.incomplete { ChainStatus::Incomplete } else { ChainStatus::Complete });
    }
    // An empty text does not restrict.
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    query = query.source(text(&args.place.source)).endpoint(text(&args.place.endpoint)).host(text(&args.place.host));
    query = query.operation(text(&args.place.operation)).prefix(text(&args.prefix));
    if let Some(duration) = args.min_duration {
        query = query.min_duration_ms(duration.as_secs_f64() * 1e3);
    }
    if let Some(since) = args.since {
        query = query.since(since);
    }
    let place = &args.place;
    let texts = [&place.source, &place.endpoint, &place.host, &place.operation, &args.prefix];
    let filtered = args.incomplete
        || args.complete
        || args.min_duration.is_some()
        || args.since.is_some()
        || args.cursor.is_some()
        || args.limit == 0
        || texts.into_iter().any(Option::is_some);
    if let Some(cursor) = args.cursor {
        query = query.cursor(cursor);
    }
    (query, filtered)
}

/// As many chains as are wanted. The server looks at a bounded number of chains for one answer, so that a rare kind takes
/// several.
async fn list(query: &CorrelationQuery, limit: u32, settings: &Settings) -> Result<CorrelationsAnswer, QueryError> {
    let mut answer = settings.client.correlations(&query.clone().limit(limit)).await?;
    while let Some(cursor) = answer.next_cursor {
        let found = u32::try_from(answer.correlations.len()).unwrap_or(u32::MAX);
        let Some(missing) = limit.checked_sub(found).filter(|missing| *missing > 0) else { break };
        let next = settings.client.correlations(&query.clone().limit(missing).cursor(cursor)).await?;
        answer.correlations.extend(next.correlations);
        answer.count += next.count;
        // A cursor that does not move would be followed for ever.
        answer.next_cursor = next.next_cursor.filter(|next| *next < cursor);
    }
    Ok(answer)
}

/// Page by page, so that a long list starts to come at once and takes little memory; JSON is one object and comes whole.
async fn all(query: CorrelationQuery, filtered: bool, settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    let mut pages = settings.client.correlation_pages(query.limit(PAGE));
    let mut whole = CorrelationsAnswer { correlations: Vec::new(), next_cursor: None, count: 0 };
    let line_by_line = screen.is_line_by_line();
    while let Some(page) = pages.next().await {
        let page = page?;
        if line_by_line && !page.correlations.is_empty() {
            screen.chains_page(&page, whole.count == 0)?;
            screen.flush()?;
        } else {
            whole.correlations.extend(page.correlations);
        }
        whole.count += page.count;
    }
    if !line_by_line || whole.count == 0 { Ok(screen.chains(&whole, filtered)?) } else { Ok(()) }
}

/// The list again and again. A server that goes away is waited for: what is watched is often what is being restarted.
async fn watch(
    first: CorrelationsAnswer,
    every: Duration,
    again: impl AsyncFn() -> Result<CorrelationsAnswer, QueryError>,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let mut live = Live::new(terminal_moves());
    let mut answer: Result<_, QueryError> = Ok(first);
    loop {
        match answer {
            Ok(answer) => screen.redraw_chains(&mut live, &answer)?,
            Err(err) if err.may_pass() && live.is_in_place() => {
                live.say(&format!("{err}; trying again"))?;
            }
            Err(err) if err.may_pass() => crate::output::warn(&format!("{err}; trying again")),
            Err(err) => return Err(err.into()),
        }
        tokio::time::sleep(every).await;
        answer = again().await;
    }
}
