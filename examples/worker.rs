//! The example service "worker" (source `WK`): reserves stock and writes invoices, and sometimes forgets one.
//!
//! ```text
//! TRACEHUB_URL=http://127.0.0.1:8099 example-worker --port 8082
//! ```

mod common;

use std::future;
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, post, web};
use clap::Parser;
use serde_json::json;
use tokio::time::sleep;
use tracehub_client::correlation::CORRELATION_HEADER;
use tracehub_client::{CheckpointLogger, TraceHubClient};

use crate::common::{CorrelationId, Job};

/// The invoice of every seventh order is never finished: the fault that the chain of such an order shows.
const FORGOTTEN: u64 = 7;

/// Example service: works for example-manager. `TRACEHUB_URL` says where its checkpoints go; without it, nowhere.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8082)]
    port: u16,
}

/// With scopes: short, and each leaves on every way out of the function.
#[post("/reserve")]
async fn reserve(logger: web::Data<CheckpointLogger>, id: CorrelationId, job: web::Json<Job>) -> HttpResponse {
    let CorrelationId(id) = id;
    let scope = logger.scope(&id, "REST", "/reserve");
    {
        let _update = logger.scope(&id, "DB", "stock.update");
        sleep(Duration::from_millis(8)).await;
    }
    scope.leave(&json!({ "reserved": job.quantity }));
    HttpResponse::Ok().insert_header((CORRELATION_HEADER, id)).json(json!({ "reserved": job.quantity }))
}

/// With an enter and a leave of its own, for what a scope cannot do: data at the start. Then every way out has to leave,
/// and this function has one that does not.
#[post("/invoice")]
async fn invoice(logger: web::Data<CheckpointLogger>, id: CorrelationId, job: web::Json<Job>) -> HttpResponse {
    let CorrelationId(id) = id;
    logger.checkpoint_entry(&id, "REST", "/invoice", &job);
    sleep(Duration::from_millis(12)).await;
    if job.order.is_multiple_of(FORGOTTEN) {
        // The printer is out of paper, and nobody thought of that. The manager stops waiting some time.
        future::pending::<()>().await;
    }
    logger.checkpoint_exit(&id, "REST", "/invoice", &json!({ "pages": 1 }));
    HttpResponse::Ok().insert_header((CORRELATION_HEADER, id)).json(json!({ "invoice": job.order }))
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let client = TraceHubClient::from_env()?;
    let logger = web::Data::new(CheckpointLogger::new(client.clone(), "WK"));
    let listener = common::listen("example-worker", arguments.port)?;
    // Ends on SIGTERM or Ctrl-C, after the open requests; a second, because the forgotten ones never end.
    HttpServer::new(move || App::new().app_data(logger.clone()).service(reserve).service(invoice))
        .workers(2)
        .shutdown_timeout(1)
        .listen(listener)?
        .run()
        .await?;
    Ok(common::close("example-worker", &client)?)
}
