//! `GET /traces/{correlation_id}/stream` and `GET /stream`: entries, those stored and those to come, as server-sent
//! events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::Stream;
use tracehub_core::store::EntryId;
use tracehub_core::wire::live::DEFAULT_TIMEOUT_SECONDS;

use crate::error::ApiError;
use crate::extract::correlation_id::CorrelationId;
use crate::extract::query::Query;
use crate::live::stream::{self, Course};
use crate::live::subject::{Filter, Subject};
use crate::state::State;

/// How long a chain's stream may be silent. The original's second: some clients take their own time-out from it.
const CHAIN_KEEPALIVE: Duration = Duration::from_secs(1);
/// How long a stream of all chains may be silent: less than proxies wait.
const KEEPALIVE: Duration = Duration::from_secs(15);

pub(crate) async fn chain(
    state: web::Data<State>,
    request: HttpRequest,
    id: CorrelationId,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let seconds = query.integer("timeout", DEFAULT_TIMEOUT_SECONDS, i64::MIN..=i64::MAX)?;
    let course = Course {
        after: Some(resume_point(&request, &query)?.unwrap_or(EntryId::ZERO)),
        timeout: Duration::from_secs(u64::try_from(seconds).unwrap_or(0)),
        keepalive: CHAIN_KEEPALIVE,
    };
    answer(&state, &request, Subject::Chain(id.0.into()), course)
}

pub(crate) async fn all(state: web::Data<State>, request: HttpRequest, query: Query) -> Result<HttpResponse, ApiError> {
    let prefix = query.text("correlation_id").map(str::to_owned);
    let filter = Filter { place: query.place(), prefix };
    let seconds = query.integer("timeout", i64::MAX, 0..=i64::MAX)?;
    let course = Course {
        after: resume_point(&request, &query)?,
        timeout: Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX)),
        keepalive: KEEPALIVE,
    };
    answer(&state, &request, Subject::All(Arc::new(filter)), course)
}

fn answer(state: &State, request: &HttpRequest, subject: Subject, course: Course) -> Result<HttpResponse, ApiError> {
    if request.method() == Method::HEAD {
        return Ok(event_stream(futures_util::stream::empty()));
    }
    let admitted = state.streams.admit(state.access.address_of(request)).ok_or(ApiError::TooManyStreams)?;
    Ok(event_stream(stream::events(state, subject, course, admitted)))
}

fn event_stream(events: impl Stream<Item = Result<web::Bytes, Infallible>> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        // A proxy that collects the answer before it passes it on would make live late.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events)
}

/// Where to go on: the header that browsers send when they reconnect, or `?after=`.
fn resume_point(request: &HttpRequest, query: &Query) -> Result<Option<EntryId>, ApiError> {
    let last_event_id = request.headers().get("last-event-id").and_then(|value| value.to_str().ok());
    if let Some(id) = last_event_id.and_then(|text| text.trim().parse::<i64>().ok()) {
        return Ok(Some(EntryId(id.max(0))));
    }
    query.optional_integer("after", 0..=i64::MAX).map(|after| after.map(EntryId))
}
