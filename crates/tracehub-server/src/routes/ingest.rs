//! `POST /ingest` and `POST /ingest/single`: entries in. 200 means stored.

use std::time::Instant;

use actix_web::http::header;
use actix_web::{HttpRequest, Responder, web};
use tracehub_core::wire::ingest::{IngestAnswer, IngestBatch, IngestError, IngestSingleAnswer};

use crate::error::ApiError;
use crate::extract::body::IngestBody;
use crate::state::State;

/// The encodings that a body may have. Said with each answer, so that a client need not guess (RFC 9110, 12.5.3).
pub(crate) const ACCEPTED_ENCODINGS: (header::HeaderName, &str) = (header::ACCEPT_ENCODING, "zstd, gzip");

/// A body, or why it was not taken: that counts as a refusal too.
type Received = Result<IngestBody, ApiError>;

pub(crate) async fn batch(
    request: HttpRequest,
    state: web::Data<State>,
    body: Received,
) -> Result<impl Responder, ApiError> {
    let answer: IngestAnswer = store(&state, &request, body, IngestBatch::parse).await?;
    Ok(web::Json(answer).customize().insert_header(ACCEPTED_ENCODINGS))
}

pub(crate) async fn single(
    request: HttpRequest,
    state: web::Data<State>,
    body: Received,
) -> Result<web::Json<IngestSingleAnswer>, ApiError> {
    let answer = store(&state, &request, body, IngestBatch::parse_single).await?;
    Ok(web::Json(IngestSingleAnswer { inserted: answer.inserted == 1 }))
}

async fn store(
    state: &State,
    request: &HttpRequest,
    body: Received,
    parse: impl FnOnce(Vec<u8>) -> Result<IngestBatch, IngestError>,
) -> Result<IngestAnswer, ApiError> {
    let work = async {
        let body = body?.0;
        let room = state.ingest.admit(body.len())?;
        let Some(limit) = &state.ingest_limit else { return state.ingest.store(parse(body)?, room).await };
        let address = state.access.address_of(request);
        // Who may not send costs no more than its bytes.
        limit.check(address, Instant::now())?;
        let batch = parse(body)?;
        limit.take(address, batch.len(), Instant::now())?;
        state.ingest.store(batch, room).await
    };
    state.ingest.counted(work).await
}
