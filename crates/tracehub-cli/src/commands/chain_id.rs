//! From what was typed to a chain: its id, or the beginning of it where only one chain has that.

use tracehub_client::{ChainAnswer, CorrelationQuery, QueryError};

use crate::failure::Failure;
use crate::settings::Settings;

/// Ids that are named when several or none begin as typed.
const NAMED: u32 = 5;

/// Chains that are looked at where the server cannot look for ids itself.
const RECENT: u32 = 1_000;

/// Pages that are asked for until there are enough names. The server looks at some thousand chains for each.
const PAGES: u32 = 50;

/// Ids that begin as was typed.
#[derive(Debug, Default)]
struct Found {
    /// The most recently active ones, one more than can be named.
    ids: Vec<String>,
    /// Whether the server has not looked at all chains: where it does not, thousands begin so.
    more: bool,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.ids.is_empty() && !self.more
    }
}

/// A chain, and its id. A chain with this very id goes before those whose ids only begin with it.
pub(crate) async fn find(typed: &str, source: Option<&str>, settings: &Settings) -> Result<ChainAnswer, Failure> {
    let answer = settings.client.get_traces(typed, source).await?;
    if !answer.traces.is_empty() {
        return Ok(answer);
    }
    let id = match source {
        // Known, but not to this source.
        Some(_) if !settings.client.get_traces(typed, None).await?.traces.is_empty() => typed.to_owned(),
        _ => complete(typed, settings).await?,
    };
    let answer = if id == typed { answer } else { settings.client.get_traces(&id, source).await? };
    match (source, answer.traces.is_empty()) {
        (_, false) => Ok(answer),
        (Some(source), true) => Err(Failure::UnknownSource { id, source_id: source.to_owned() }),
        // Deleted since it was listed.
        (None, true) => Err(unknown(&id, Vec::new(), settings)),
    }
}

/// The only id that begins with what was typed.
pub(crate) async fn complete(typed: &str, settings: &Settings) -> Result<String, Failure> {
    let Found { mut ids, more } = beginning_with(typed, settings).await?;
    if ids.len() > 1 || more {
        return Err(Failure::SeveralChains {
            typed: typed.to_owned(),
            more: more || ids.len() > NAMED as usize,
            ids: named(ids),
        });
    }
    match ids.pop() {
        Some(id) => Ok(id),
        None => Err(unknown(typed, nearest(typed, settings).await?, settings)),
    }
}

/// Nothing has this id, which must be a whole one. What there is instead may be unknown; that there is nothing is not.
pub(crate) async fn not_there(id: &str, settings: &Settings) -> Failure {
    let ids = match beginning_with(id, settings).await {
        Ok(found) if found.is_empty() => nearest(id, settings).await.unwrap_or_default(),
        Ok(found) => found.ids,
        Err(_) => Vec::new(),
    };
    unknown(id, named(ids), settings)
}

fn unknown(id: &str, nearest: Vec<String>, settings: &Settings) -> Failure {
    Failure::UnknownChain { id: id.to_owned(), url: settings.client.url().to_owned(), nearest }
}

/// Ids that have the longest beginning in common with what was typed: found by halving how much of it must be.
async fn nearest(typed: &str, settings: &Settings) -> Result<Vec<String>, Failure> {
    let ends: Vec<usize> = typed.char_indices().map(|(place, _)| place).filter(|place| *place > 0).collect();
    let (mut shortest, mut beyond, mut found) = (0, ends.len(), Vec::new());
    while shortest < beyond {
        let middle = usize::midpoint(shortest, beyond);
        let beginning = beginning_with(&typed[..ends[middle]], settings).await?;
        if beginning.is_empty() {
            beyond = middle;
        } else {
            found = beginning.ids;
            shortest = middle + 1;
        }
    }
    Ok(named(found))
}

/// The chains whose ids begin so. A page may have fewer than there are, or none, although more follow.
async fn beginning_with(prefix: &str, settings: &Settings) -> Result<Found, Failure> {
    let mut found = Found::default();
    if prefix.is_empty() {
        return Ok(found);
    }
    let query = CorrelationQuery::new().prefix(prefix).limit(NAMED + 1);
    let mut pages = settings.client.correlation_pages(query);
    for _ in 0..PAGES {
        let page = match pages.next().await {
            None => break,
            // The Python server cannot look for them, but it lists the recent ones.
            Some(Err(QueryError::Unsupported { .. })) => {
                settings.client.correlations(&CorrelationQuery::new().limit(RECENT)).await?
            }
            Some(page) => page?,
        };
        found.more = page.next_cursor.is_some();
        let ids = page.correlations.into_iter().map(|chain| chain.correlation_id);
        found.ids.extend(ids.filter(|id| id.starts_with(prefix)));
        if !found.more || found.ids.len() > NAMED as usize {
            break;
        }
    }
    found.ids.truncate(NAMED as usize + 1);
    Ok(found)
}

fn named(mut ids: Vec<String>) -> Vec<String> {
    ids.truncate(NAMED as usize);
    ids
}
