//! `GET /correlations`: the chains, the most recently active first.

use actix_web::web;
use tracehub_core::wire::read::CorrelationsAnswer;

use crate::error::ApiError;
use crate::extract::query::Query;
use crate::state::State;

/// How many chains are listed when the request does not say.
const DEFAULT_LIMIT: i64 = 50;
/// The most chains that one answer lists.
const MAX_LIMIT: i64 = 10_000;

pub(crate) async fn list(state: web::Data<State>, query: Query) -> Result<web::Json<CorrelationsAnswer>, ApiError> {
    let limit = query.integer("limit", DEFAULT_LIMIT, 0..=MAX_LIMIT)?;
    let limit = u32::try_from(limit).map_err(|_| ApiError::Internal)?;
    let with_complete = query.one_of("include", &["complete"])?.is_some();
    let mut correlations = state.reader.query(move |store| store.correlations(limit)).await?;
    if !with_complete {
        // Without being asked, a summary has the original's keys and no other.
        for summary in &mut correlations {
            summary.complete = None;
        }
    }
    let count = correlations.len() as u64;
    Ok(web::Json(CorrelationsAnswer { correlations, count }))
}
