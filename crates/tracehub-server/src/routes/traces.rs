//! `GET /traces/{correlation_id}`: one chain.

use actix_web::{HttpResponse, web};
use tracehub_core::store::ChainFilter;
use tracehub_core::wire::read::ChainWriter;

use crate::error::ApiError;
use crate::extract::correlation_id::CorrelationId;
use crate::extract::query::Query;
use crate::state::State;

pub(crate) async fn chain(state: web::Data<State>, id: CorrelationId, query: Query) -> Result<HttpResponse, ApiError> {
    let since_timestamp = query.number("since_ts")?;
    let source = query.text("source").map(str::to_owned);
    let body = state
        .reader
        .query(move |store| {
            let filter = ChainFilter { source_id: source.as_deref(), since_timestamp };
            let mut chain = ChainWriter::new(&id.0);
            store.chain(&id.0, filter, &mut |entry| chain.push(entry))?;
            Ok(chain.finish())
        })
        .await?;
    Ok(HttpResponse::Ok().content_type("application/json").body(body))
}
