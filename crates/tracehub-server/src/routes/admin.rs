//! `DELETE /cleanup`: delete now what is older than the retention.

use actix_web::web;
use tracehub_core::wire::read::CleanupAnswer;

use crate::error::ApiError;
use crate::state::State;

pub(crate) async fn clean_up(state: web::Data<State>) -> Result<web::Json<CleanupAnswer>, ApiError> {
    Ok(web::Json(CleanupAnswer { deleted: state.ingest.clean_up().await? }))
}
