//! `GET /compare`: two chains side by side.

use actix_web::web;
use tracehub_core::wire::compare::CompareAnswer;

use super::traces::{MAX_ANALYSED_ENTRIES, analyse};
use crate::error::ApiError;
use crate::extract::query::Query;
use crate::state::State;

pub(crate) async fn compare(state: web::Data<State>, query: Query) -> Result<web::Json<CompareAnswer>, ApiError> {
    let (a, b) = (query.required("a")?.to_owned(), query.required("b")?.to_owned());
    let correct_clocks = query.one_of("skew", &["on", "off"])? != Some("off");
    let answer = state.reader.query(move |store| {
        let chains = analyse(store, &a, correct_clocks)?.zip(analyse(store, &b, correct_clocks)?);
        Ok(chains.map(|(a, b)| CompareAnswer::new(&a, &b)))
    });
    Ok(web::Json(answer.await?.ok_or(ApiError::ChainTooLarge(MAX_ANALYSED_ENTRIES))?))
}
