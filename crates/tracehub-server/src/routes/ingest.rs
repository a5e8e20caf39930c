//! `POST /ingest` and `POST /ingest/single`: entries in. 200 means stored.

use actix_web::http::header;
use actix_web::{Responder, web};
use tracehub_core::wire::ingest::{IngestAnswer, IngestBatch, IngestSingleAnswer};

use crate::error::ApiError;
use crate::extract::body::JsonBody;
use crate::state::State;

/// The encodings that a body may have. Said with each answer, so that a client need not guess (RFC 9110, 12.5.3).
const ACCEPTED_ENCODINGS: (header::HeaderName, &str) = (header::ACCEPT_ENCODING, "zstd, gzip");

/// A body, or why it was not taken: that counts as a refusal too.
type Received = Result<JsonBody, ApiError>;

pub(crate) async fn batch(state: web::Data<State>, body: Received) -> Result<impl Responder, ApiError> {
    let ingest = &state.ingest;
    let answer: IngestAnswer = ingest.counted(async { ingest.store(IngestBatch::parse(body?.0)?).await }).await?;
    Ok(web::Json(answer).customize().insert_header(ACCEPTED_ENCODINGS))
}

pub(crate) async fn single(state: web::Data<State>, body: Received) -> Result<web::Json<IngestSingleAnswer>, ApiError> {
    let ingest = &state.ingest;
    let answer = ingest.counted(async { ingest.store(IngestBatch::parse_single(body?.0)?).await }).await?;
    Ok(web::Json(IngestSingleAnswer { inserted: answer.inserted == 1 }))
}
