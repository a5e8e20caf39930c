//! `GET /healthz`: the process answers. `GET /readyz`: it can do its work. `GET /health`: what the original says.

use actix_web::{HttpResponse, web};
use tracehub_core::wire::health::ReadyAnswer;
use tracehub_core::wire::read::HealthAnswer;

use crate::condition::Trouble;
use crate::error::ApiError;
use crate::state::State;

/// Says nothing but that it was reached: it is open to everyone.
pub(crate) async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

pub(crate) async fn ready(state: web::Data<State>) -> Result<web::Json<ReadyAnswer>, ApiError> {
    let checks = state.pulse.checks(&state.condition, &state.ingest);
    match checks.trouble() {
        None => Ok(web::Json(ReadyAnswer { status: "ready", checks })),
        Some(_) => Err(ApiError::NotReady(checks)),
    }
}

pub(crate) async fn health(state: web::Data<State>) -> web::Json<HealthAnswer> {
    let reason = match state.condition.trouble() {
        _ if state.pulse.writer_is_silent() => Some("writer_silent"),
        trouble => trouble.map(Trouble::code),
    };
    web::Json(HealthAnswer {
        status: if reason.is_some() { "degraded" } else { "healthy" }.to_owned(),
        service: "tracehub".to_owned(),
        db: state.config.database.display().to_string(),
        retention_hours: state.config.retention_hours(),
        reason: reason.map(str::to_owned),
    })
}
