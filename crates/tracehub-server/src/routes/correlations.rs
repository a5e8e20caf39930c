//! `GET /correlations`: the chains, the most recently active first.

use actix_web::web;
use tracehub_core::query::ChainQuery;
use tracehub_core::store::EntryId;
use tracehub_core::wire::read::CorrelationsAnswer;

use crate::error::ApiError;
use crate::extract::query::Query;
use crate::state::State;

/// How many chains are listed when the request does not say.
pub(crate) const DEFAULT_LIMIT: i64 = 50;
/// The most chains that one answer lists.
pub(crate) const MAX_LIMIT: i64 = 10_000;

pub(crate) async fn list(state: web::Data<State>, query: Query) -> Result<web::Json<CorrelationsAnswer>, ApiError> {
    let with_complete = query.one_of("include", &["complete"])?.is_some();
    let wanted = chain_query(&query)?;
    let with_cursor = with_complete || !wanted.is_unfiltered();
    let page = state.reader.query(move |store| store.correlations(&wanted)).await?;
    let mut correlations = page.chains;
    if !with_complete {
        // Without being asked, an answer has the original's keys and no other.
        for summary in &mut correlations {
            summary.complete = None;
        }
    }
    let count = correlations.len() as u64;
    Ok(web::Json(CorrelationsAnswer { correlations, count, next_cursor: page.next.filter(|_| with_cursor) }))
}

pub(crate) fn chain_query(query: &Query) -> Result<ChainQuery, ApiError> {
    let limit = query.integer("limit", DEFAULT_LIMIT, 0..=MAX_LIMIT)?;
    Ok(ChainQuery {
        limit: u32::try_from(limit).map_err(|_| ApiError::Internal)?,
        before: query.optional_integer("cursor", 1..=i64::MAX)?.map(EntryId),
        active_since: query.whole_seconds("since")?,
        complete: query.one_of("status", &["complete", "incomplete"])?.map(|status| status == "complete"),
        min_duration_ms: query.number("min_duration_ms")?,
        prefix: query.text("q").map(str::to_owned),
        place: query.place(),
    })
}
