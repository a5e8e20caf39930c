//! `POST /ingest` and `POST /ingest/single`: entries in. 200 means stored.

use actix_web::web;
use tracehub_core::wire::ingest::{IngestAnswer, IngestBatch, IngestSingleAnswer};

use crate::error::ApiError;
use crate::extract::body::JsonBody;
use crate::state::State;

pub(crate) async fn batch(state: web::Data<State>, body: JsonBody) -> Result<web::Json<IngestAnswer>, ApiError> {
    let batch = IngestBatch::parse(body.0)?;
    Ok(web::Json(state.ingest.store(batch).await?))
}

pub(crate) async fn single(state: web::Data<State>, body: JsonBody) -> Result<web::Json<IngestSingleAnswer>, ApiError> {
    let batch = IngestBatch::parse_single(body.0)?;
    let answer = state.ingest.store(batch).await?;
    Ok(web::Json(IngestSingleAnswer { inserted: answer.inserted == 1 }))
}
