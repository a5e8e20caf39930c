//! The routes on one screen, and what every request passes on its way.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::{App, Error, HttpRequest, HttpResponse, Resource, ResponseError as _, web};

use crate::access::gate;
use crate::error::ApiError;
use crate::observe;
use crate::route::Route;
use crate::routes::{
    admin, compare, correlations, health, ingest, live, metrics, openapi, page, recent, session, stats, traces,
};
use crate::state::State;

/// The methods of a route to read.
pub(crate) const READ: &str = "GET, HEAD";

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
        .wrap(from_fn(observe::note))
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
        .service(readable("/healthz", health::alive))
        .service(readable("/readyz", health::ready))
        .service(readable("/stats", stats::stats))
        .service(readable("/metrics", metrics::metrics))
        .service(readable("/openapi.json", openapi::description))
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
    if shorter == path || !Route::of(shorter).is_known() {
        return ApiError::NotFound.error_response();
    }
    let raw = request.uri().path().trim_end_matches('/');
    let location = match request.uri().query() {
        Some(query) => format!("{raw}?{query}"),
        None => raw.to_owned(),
    };
    HttpResponse::TemporaryRedirect().insert_header((header::LOCATION, location)).finish()
}
