//! The example service "manager" (source `MA`): takes orders and has the worker carry them out.
//!
//! ```text
//! TRACEHUB_URL=http://127.0.0.1:8099 example-manager --port 8081 --worker-url http://127.0.0.1:8082
//! curl -i http://127.0.0.1:8081/orders -H 'Content-Type: application/json' -d '{"item":"lamp","quantity":1}'
//! ```

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, HttpServer, post, web};
use clap::Parser;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracehub_client::correlation::CORRELATION_HEADER;
use tracehub_client::{CheckpointLogger, TraceHubClient};

use crate::common::{CorrelationId, Job};

/// How long the manager waits for another service before it gives up.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Example service: takes orders at `POST /orders`. `TRACEHUB_URL` says where its checkpoints go; without it, nowhere.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8081)]
    port: u16,

    /// Where example-worker listens
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8082")]
    worker_url: String,

    /// Where example-cashier listens
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8083")]
    cashier_url: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    item: String,
    quantity: u32,
}

/// What every request needs.
#[derive(Debug)]
struct Manager {
    logger: CheckpointLogger,
    http: reqwest::Client,
    worker_url: String,
    cashier_url: String,
    orders: AtomicU64,
}

/// A step of an order that failed: what the caller is answered.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    reason: &'static str,
}

#[post("/orders")]
async fn orders(manager: web::Data<Manager>, id: CorrelationId, order: web::Json<Order>) -> HttpResponse {
    let CorrelationId(id) = id;
    manager.logger.checkpoint_entry(&id, "REST", "/orders", &order);
    let (status, answer) = match manager.carry_out(&id, order.into_inner()).await {
        Ok(number) => (StatusCode::OK, json!({ "order": number })),
        Err(failure) => (failure.status, json!({ "error": failure.reason })),
    };
    manager.logger.checkpoint_exit(&id, "REST", "/orders", &answer);
    // The caller learns the id as well: with it, `tracehub-cli show <id>` tells what became of the order.
    HttpResponse::build(status).insert_header((CORRELATION_HEADER, id)).json(answer)
}

impl Manager {
    async fn carry_out(&self, id: &str, order: Order) -> Result<u64, Failure> {
        let number = self.orders.fetch_add(1, Ordering::Relaxed) + 1;
        let job = Job { order: number, item: order.item, quantity: order.quantity };
        self.ask(id, &self.worker_url, "/reserve", &job).await?;
        self.ask(id, &self.cashier_url, "/charge", &job).await?;
        self.ask(id, &self.worker_url, "/invoice", &job).await?;
        Ok(number)
    }

    /// Asks another service, with checkpoints around it: the difference between these and that one's own is the network.
    async fn ask(&self, id: &str, service: &str, path: &str, job: &Job) -> Result<(), Failure> {
        let url = format!("{service}{path}");
        // Left by `leave` below. If this function is cancelled or panics, its drop leaves: no call stays open by mistake.
        let scope = self.logger.scope(id, "CALL", path);
        // The other's checkpoints join the chain by this header.
        let answer = self.http.post(url).header(CORRELATION_HEADER, id).json(job).send().await;
        let (outcome, data): (_, Value) = match answer.and_then(reqwest::Response::error_for_status) {
            Ok(answer) => (Ok(()), json!({ "status": answer.status().as_u16() })),
            Err(err) if err.is_timeout() => {
                (Err(Failure { status: StatusCode::GATEWAY_TIMEOUT, reason: "timeout" }), json!({ "error": "timeout" }))
            }
            Err(err) => (
                Err(Failure { status: StatusCode::BAD_GATEWAY, reason: "a service failed" }),
                json!({ "error": err.to_string() }),
            ),
        };
        scope.leave(&data);
        outcome
    }
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let client = TraceHubClient::from_env()?;
    let manager = web::Data::new(Manager {
        logger: CheckpointLogger::new(client.clone(), "MA"),
        http: reqwest::Client::builder().timeout(TIMEOUT).build()?,
        worker_url: arguments.worker_url.trim_end_matches('/').to_owned(),
        cashier_url: arguments.cashier_url.trim_end_matches('/').to_owned(),
        orders: AtomicU64::new(0),
    });
    let listener = common::listen("example-manager", arguments.port)?;
    // Ends on SIGTERM or Ctrl-C, after the open requests.
    HttpServer::new(move || App::new().app_data(manager.clone()).service(orders))
        .workers(2)
        .shutdown_timeout(1)
        .listen(listener)?
        .run()
        .await?;
    Ok(common::close("example-manager", &client)?)
}
