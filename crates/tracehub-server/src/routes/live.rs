//! `GET /traces/{correlation_id}/stream`: a chain's entries, those stored and those to come, as server-sent events.

use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, Responder as _, web};
use actix_web_lab::sse::Sse;
use tracehub_core::store::EntryId;
use tracehub_core::wire::live::DEFAULT_TIMEOUT_SECONDS;

use crate::error::ApiError;
use crate::extract::correlation_id::CorrelationId;
use crate::extract::query::Query;
use crate::live::stream;
use crate::state::State;

pub(crate) async fn chain(
    state: web::Data<State>,
    request: HttpRequest,
    id: CorrelationId,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let seconds = query.integer("timeout", DEFAULT_TIMEOUT_SECONDS, i64::MIN..=i64::MAX)?;
    let after = resume_point(&request, &query)?;
    let timeout = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let mut response = if request.method() == Method::HEAD {
        HttpResponse::Ok().finish()
    } else {
        let events = stream::chain(&state, id.0, after, timeout);
        Sse::from_infallible_stream(events).respond_to(&request)
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache"));
    // A proxy that collects the answer before it passes it on would make live late.
    headers.insert(header::HeaderName::from_static("x-accel-buffering"), header::HeaderValue::from_static("no"));
    Ok(response)
}

/// Where to go on: the header that browsers send when they reconnect, or `?after=`.
fn resume_point(request: &HttpRequest, query: &Query) -> Result<EntryId, ApiError> {
    let last_event_id = request.headers().get("last-event-id").and_then(|value| value.to_str().ok());
    if let Some(id) = last_event_id.and_then(|text| text.trim().parse::<i64>().ok()) {
        return Ok(EntryId(id.max(0)));
    }
    Ok(EntryId(query.integer("after", 0, 0..=i64::MAX)?))
}
