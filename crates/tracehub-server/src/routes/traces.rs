//! `GET /traces/{correlation_id}`: one chain.

use actix_web::{HttpResponse, web};

use crate::chain_body::{self, ChainBody};
use crate::error::ApiError;
use crate::extract::correlation_id::CorrelationId;
use crate::extract::query::Query;
use crate::state::State;

pub(crate) async fn chain(state: web::Data<State>, id: CorrelationId, query: Query) -> Result<HttpResponse, ApiError> {
    let since = query.number("since_ts")?;
    let source = query.text("source").map(str::to_owned);
    let mut response = HttpResponse::Ok();
    response.content_type("application/json");
    Ok(match chain_body::read(state.reader.clone(), id.0, source, since).await? {
        ChainBody::Whole(body) => response.body(body),
        ChainBody::Parts(parts) => response.streaming(parts),
    })
}
