//! `GET /stats`: how much there is, what waits, and what came since the start.

use actix_web::web;
use tracehub_core::wire::stats::StatsAnswer;

use crate::error::ApiError;
use crate::state::State;

pub(crate) async fn stats(state: web::Data<State>) -> Result<web::Json<StatsAnswer>, ApiError> {
    Ok(web::Json(StatsAnswer {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: state.started.elapsed().as_secs_f64(),
        stored: state.reader.query(|store| store.totals()).await?,
        queue: state.ingest.waiting(),
        streams: state.streams.open(),
        since_start: state.ingest.counts(),
    }))
}
