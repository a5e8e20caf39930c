//! The routes on one screen, and what every request passes on its way.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error, HttpRequest, HttpResponse, Resource, ResponseError as _, web};

use crate::access::gate;
use crate::error::ApiError;
use crate::routes::{admin, compare, correlations, health, ingest, live, page, recent, session, stats, traces};
use crate::state::State;

const READ: &str = "GET, HEAD";

/// The service of one HTTP worker.
pub(crate) fn app(
    state: State,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    App::new()
        .app_data(web::Data::new(state))
        .wrap(from_fn(gate::pass))
        .wrap(from_fn(log_request))
        .service(readable("/", page::html))
        .service(readable("/assets/{hash}/{name:.*}", page::asset))
        .service(resource("/ingest", "POST").route(web::post().to(ingest::batch)))
        .service(resource("/ingest/single", "POST").route(web::post().to(ingest::single)))
        .service(readable("/traces/{correlation_id}", traces::chain))
        .service(readable("/traces/{correlation_id}/calls", traces::calls))
        .service(readable("/traces/{correlation_id}/stream", live::chain))
        .service(readable("/stream", live::all))
        .service(readable("/recent", recent::recent))
        .service(readable("/compare", compare::compare))
        .service(readable("/correlations", correlations::list))
        .service(readable("/health", health::health))
        .service(readable("/stats", stats::stats))
        .service(resource("/cleanup", "DELETE").route(web::delete().to(admin::clean_up)))
        .service(resource("/login", "POST").route(web::post().to(session::log_in)))
        .service(resource("/logout", "POST").route(web::post().to(session::log_out)))
        .default_service(web::to(elsewhere))
}

/// A route that answers other methods with 405 and `Allow`, where actix-web alone would say 404.
fn resource(path: &'static str, allowed: &'static str) -> Resource {
    web::resource(path)
        .default_service(web::to(move || async move { ApiError::MethodNotAllowed(allowed).error_response() }))
}

/// A route to read: GET, and HEAD which is the same without the body.
fn readable<F, Args>(path: &'static str, handler: F) -> Resource
where
    F: actix_web::Handler<Args> + Clone,
    Args: actix_web::FromRequest + 'static,
    F::Output: actix_web::Responder + 'static,
{
    resource(path, READ).route(web::get().to(handler.clone())).route(web::head().to(handler))
}

/// No such route; or one with a slash too many, which the original sends to the right place.
async fn elsewhere(request: HttpRequest) -> HttpResponse {
    let path = request.path();
    let shorter = path.trim_end_matches('/');
    if shorter == path || !is_route(shorter) {
        return ApiError::NotFound.error_response();
    }
    let raw = request.uri().path().trim_end_matches('/');
    let location = match request.uri().query() {
        Some(query) => format!("{raw}?{query}"),
        None => raw.to_owned(),
    };
    HttpResponse::TemporaryRedirect().insert_header((header::LOCATION, location)).finish()
}

fn is_route(path: &str) -> bool {
    match path.split('/').collect::<Vec<_>>().as_slice() {
        [
            "",
            "ingest" | "correlations" | "health" | "cleanup" | "compare" | "recent" | "stats" | "stream" | "login"
            | "logout",
        ]
        | ["", "ingest", "single"] => true,
        ["", "traces", id] | ["", "traces", id, "calls" | "stream"] => !id.is_empty(),
        _ => false,
    }
}

/// One line per request at debug. The path is logged escaped: a request must not be able to write lines of its own.
async fn log_request(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return next.call(request).await;
    }
    let started = std::time::Instant::now();
    let method = request.method().clone();
    let path = request.path().to_owned();
    let response = next.call(request).await?;
    tracing::debug!(
        %method,
        ?path,
        status = response.status().as_u16(),
        milliseconds = started.elapsed().as_secs_f64() * 1000.0,
        "request"
    );
    Ok(response)
}
