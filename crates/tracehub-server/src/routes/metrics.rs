//! `GET /metrics`: everything that is counted, for Prometheus.

use actix_web::{HttpResponse, web};

use crate::metrics::report;
use crate::state::State;

pub(crate) async fn metrics(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().content_type(report::CONTENT_TYPE).body(report::write(&state).await)
}
