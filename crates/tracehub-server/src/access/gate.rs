//! What every request passes first: the name it calls us by, the page it comes from, the secret it knows.

use std::rc::Rc;
use std::time::Instant;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::uri::Authority;
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, ResponseError as _, web};

use super::host::is_same_origin;
use super::{Access, Guard, SECRET_HEADER, sessions};
use crate::connection::Handle;
use crate::error::{ApiError, MAX_HEAD_BYTES, MAX_URI_BYTES};
use crate::state::State;

/// What a page of another origin may send, once it is listed.
const CORS_METHODS: &str = "GET, HEAD, POST, DELETE";
const CORS_HEADERS: &str = "authorization, content-type, content-encoding, last-event-id, x-tracehub-secret";
/// How long a browser may remember that, in seconds.
const CORS_MAX_AGE: &str = "600";

/// Passes a request on, or answers it.
pub(crate) async fn pass<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let Some(state) = request.app_data::<web::Data<State>>().cloned() else {
        return Ok(request.into_response(ApiError::Internal.error_response().map_into_right_body()));
    };
    let access = &state.access;
    let _answering = request.conn_data::<Rc<Handle>>().map(Handle::begin);
    let listed_origin = listed_origin(access, &request);
    let answer = match check(access, &request) {
        Err(refusal) => Some(refusal.error_response()),
        // A browser asks before it lets a page of another origin send.
        Ok(()) if request.method() == Method::OPTIONS && listed_origin.is_some() => Some(preflight()),
        Ok(()) => None,
    };
    let mut response = match answer {
        Some(answer) => request.into_response(answer.map_into_right_body()),
        None => next.call(request).await?.map_into_left_body(),
    };
    if !access.cors_origins.is_empty() {
        let headers = response.headers_mut();
        headers.append(header::VARY, header::HeaderValue::from_static("origin"));
        if let Some(origin) = listed_origin.and_then(|origin| origin.parse().ok()) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
    }
    Ok(response)
}

fn preflight() -> HttpResponse {
    HttpResponse::build(StatusCode::NO_CONTENT)
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, CORS_METHODS))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, CORS_HEADERS))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, CORS_MAX_AGE))
        .finish()
}

fn check(access: &Access, request: &ServiceRequest) -> Result<(), ApiError> {
    if request.conn_data::<Rc<Handle>>().is_some_and(|connection| connection.is_reserve()) && !says_how_it_is(request) {
        return Err(ApiError::TooManyConnections);
    }
    check_size(request)?;
    // HTTP/1.0 need not say it; a browser always does. A target that names a host itself must not name another.
    let (host, target) = (text(request, header::HOST), request.uri().authority().map(Authority::as_str));
    if host.into_iter().chain(target).any(|name| !access.hosts.accept(name)) {
        return Err(ApiError::BadHost);
    }
    let host = host.or(target);
    let preflight = request.method() == Method::OPTIONS && listed_origin(access, request).is_some();
    if preflight {
        return Ok(());
    }
    let changes_nothing = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !changes_nothing && comes_from_elsewhere(access, request, host.unwrap_or_default()) {
        return Err(ApiError::BadOrigin);
    }
    if access.ingest.is_none() && access.read.is_none() {
        return Ok(());
    }
    if ["secret", "token", "access_token"].iter().any(|name| has_parameter(request.query_string(), name)) {
        return Err(ApiError::BadRequest("secrets do not belong in URLs, which are logged; send a header".to_owned()));
    }
    let Some(guard) = request.match_pattern().map(|pattern| Guard::of(&pattern)) else { return Ok(()) };
    let secrets = match guard {
        Guard::Open => None,
        Guard::Ingest => access.ingest.as_ref(),
        Guard::Read => access.read.as_ref(),
    };
    let Some(secrets) = secrets else { return Ok(()) };
    if let Some(given) = given_secret(request) {
        return access.check(secrets, given, access.address_of(request.request()));
    }
    // Whoever signed in may look, not change: a page that someone else got into the browser must not delete.
    if guard == Guard::Read && sessions::ids(request.headers()).any(|id| access.sessions.is_open(id, Instant::now())) {
        return Ok(());
    }
    Err(ApiError::Unauthorized)
}

/// Whether the answer says how the server is, which whoever watches over it wants to know when it is crowded above all.
fn says_how_it_is(request: &ServiceRequest) -> bool {
    matches!(request.path(), "/health" | "/healthz" | "/readyz" | "/metrics")
}

/// The HTTP layer takes a head of 128 KiB, and any path up to 64 KiB. Nothing good is that long.
fn check_size(request: &ServiceRequest) -> Result<(), ApiError> {
    let uri = request.uri();
    if uri.path_and_query().map_or(0, |text| text.as_str().len()) > MAX_URI_BYTES {
        return Err(ApiError::UriTooLong);
    }
    let headers = request.headers().iter();
    if headers.map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > MAX_HEAD_BYTES {
        return Err(ApiError::HeadTooLarge);
    }
    Ok(())
}

/// The secret that came along, in either header.
fn given_secret(request: &ServiceRequest) -> Option<&str> {
    if let Some(secret) = request.headers().get(SECRET_HEADER) {
        return secret.to_str().ok();
    }
    let (scheme, secret) = text(request, header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

/// Whether a browser sends this for a page of another site.
fn comes_from_elsewhere(access: &Access, request: &ServiceRequest, host: &str) -> bool {
    match text(request, header::ORIGIN) {
        Some(origin) => !is_same_origin(origin, host) && !access.cors_origins.iter().any(|listed| listed == origin),
        None => request.headers().get("sec-fetch-site").is_some_and(|site| site == "cross-site"),
    }
}

fn listed_origin(access: &Access, request: &ServiceRequest) -> Option<String> {
    let origin = text(request, header::ORIGIN)?;
    access.cors_origins.iter().find(|listed| *listed == origin).cloned()
}

fn text(request: &ServiceRequest, name: header::HeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}

fn has_parameter(query: &str, name: &str) -> bool {
    query.split('&').any(|pair| pair.split('=').next() == Some(name))
}
