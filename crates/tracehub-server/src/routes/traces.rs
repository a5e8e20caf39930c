//! `GET /traces/{correlation_id}`: one chain; `…/calls`: what it means.

use actix_web::{HttpResponse, web};
use tracehub_core::chain::ChainEntries;
use tracehub_core::store::{StoreError, StoreReader};
use tracehub_core::wire::calls::CallsAnswer;

use crate::chain_body::{self, ChainBody};
use crate::error::ApiError;
use crate::extract::correlation_id::CorrelationId;
use crate::extract::query::Query;
use crate::state::State;

/// The most entries of a chain that is analysed: a fraction of a second's work.
pub(crate) const MAX_ANALYSED_ENTRIES: usize = 100_000;

pub(crate) async fn chain(state: web::Data<State>, id: CorrelationId, query: Query) -> Result<HttpResponse, ApiError> {
    let since = query.number("since_ts")?;
    let source = query.text("source").map(str::to_owned);
    let mut response = HttpResponse::Ok();
    response.content_type("application/json");
    Ok(match chain_body::read(state.reader.clone(), id.0, source, since).await? {
        ChainBody::Whole(body) => response.body(body),
        ChainBody::Parts(parts) => response.streaming(parts),
    })
}

pub(crate) async fn calls(
    state: web::Data<State>,
    id: CorrelationId,
    query: Query,
) -> Result<web::Json<CallsAnswer>, ApiError> {
    let correct_clocks = query.one_of("skew", &["on", "off"])? != Some("off");
    let answer = state.reader.query(move |store| analyse(store, &id.0, correct_clocks));
    Ok(web::Json(answer.await?.ok_or(ApiError::ChainTooLarge(MAX_ANALYSED_ENTRIES))?))
}

/// A chain as calls; none if it is too large.
pub(crate) fn analyse(
    store: &dyn StoreReader,
    correlation_id: &str,
    correct_clocks: bool,
) -> Result<Option<CallsAnswer>, StoreError> {
    let ids = store.chain_entry_ids_by_time(correlation_id, None)?;
    if ids.len() > MAX_ANALYSED_ENTRIES {
        return Ok(None);
    }
    let mut entries = ChainEntries::new(correlation_id);
    store.entries(correlation_id, &ids, &mut |_, entry| entries.push(entry))?;
    Ok(Some(CallsAnswer::new(correlation_id, entries.iter(), correct_clocks)))
}
