//! `GET /health`: is it there, and what does it keep?

use actix_web::web;
use tracehub_core::wire::read::HealthAnswer;

use crate::state::State;

pub(crate) async fn health(state: web::Data<State>) -> web::Json<HealthAnswer> {
    web::Json(HealthAnswer {
        status: if state.condition.trouble().is_some() { "degraded" } else { "healthy" }.to_owned(),
        service: "tracehub".to_owned(),
        db: state.config.database.display().to_string(),
        retention_hours: state.config.retention_hours(),
    })
}
