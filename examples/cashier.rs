//! The example service "cashier" (source `CA`): charges a card, and waits for a slow bank now and then.
//!
//! ```text
//! TRACEHUB_URL=http://127.0.0.1:8099 example-cashier --port 8083
//! ```
//!
//! It makes its entries itself, as a program does that brings in what another machine logged: with that machine's name,
//! and with the times of its clock, which may be off.

mod common;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::{App, HttpResponse, HttpServer, post, web};
use clap::Parser;
use serde_json::json;
use tokio::time::sleep;
use tracehub_client::correlation::CORRELATION_HEADER;
use tracehub_client::{Direction, TraceEntry, TraceHubClient};

use crate::common::{CorrelationId, Job};

/// At every fifth charge the bank is slow.
const SLOW: u64 = 5;

/// Example service: charges for example-manager. `TRACEHUB_URL` says where its checkpoints go; without it, nowhere.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8083)]
    port: u16,

    /// How far this machine's clock is ahead, in seconds: a fault to look at
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    clock_ahead: f64,
}

#[derive(Debug)]
struct Cashier {
    client: TraceHubClient,
    clock_ahead: f64,
}

#[post("/charge")]
async fn charge(cashier: web::Data<Cashier>, id: CorrelationId, job: web::Json<Job>) -> HttpResponse {
    let CorrelationId(id) = id;
    cashier.log(&id, Direction::Enter, "REST", "/charge");
    cashier.log(&id, Direction::Enter, "CALL", "bank");
    let slow = job.order.is_multiple_of(SLOW);
    sleep(Duration::from_millis(if slow { 350 } else { 6 })).await;
    cashier.log(&id, Direction::Leave, "CALL", "bank");
    cashier.log(&id, Direction::Leave, "REST", "/charge");
    HttpResponse::Ok().insert_header((CORRELATION_HEADER, id)).json(json!({ "charged": job.quantity }))
}

impl Cashier {
    fn log(&self, id: &str, direction: Direction, operation: &str, endpoint: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() + self.clock_ahead;
        let entry = TraceEntry::builder("CA", id).hostname("till-1").timestamp(now * 1e3);
        let entry = entry.direction(direction).operation(operation).endpoint(endpoint).build();
        // What is refused is counted by the client; a charge is made with or without a trace of it.
        if let Ok(entry) = entry {
            let _ = self.client.send(entry);
        }
    }
}

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let client = TraceHubClient::from_env()?;
    let cashier = web::Data::new(Cashier { client: client.clone(), clock_ahead: arguments.clock_ahead });
    let listener = common::listen("example-cashier", arguments.port)?;
    // Ends on SIGTERM or Ctrl-C, after the open requests.
    HttpServer::new(move || App::new().app_data(cashier.clone()).service(charge))
        .workers(2)
        .shutdown_timeout(1)
        .listen(listener)?
        .run()
        .await?;
    Ok(common::close("example-cashier", &client)?)
}
