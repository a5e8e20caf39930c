//! `cargo xtask demo`: a server, a shop of three services where things go wrong, and what TraceHub tells about it.

mod orders;
mod tour;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use self::orders::Fate;
use crate::process::{Interrupt, Service, built_program, cargo, stage};

/// How many orders are placed before the guided minute.
const ORDERS: u32 = 140;
/// How long the services keep checkpoints before they send them. Short, because the demo wants to show them.
const FLUSH_INTERVAL: (&str, &str) = ("TRACEHUB_FLUSH_INTERVAL", "0.1");
/// How far the till's clock is ahead, in seconds: enough to turn a chain upside down, and no more than clocks often are.
const CLOCK_AHEAD: &str = "0.15";
/// How often an order comes while everything is kept running.
const NEXT_ORDER: Duration = Duration::from_millis(300);

/// The shop: whoever calls others ends first, so that none finds another gone in the middle of an order.
struct Shop {
    manager: Service,
    worker: Service,
    cashier: Service,
}

/// Runs the demo. Whatever happens, the programs it starts end with it.
pub(crate) fn run(keep: bool) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let built = stage("building the programs (dev build)", || {
        cargo(["build", "--quiet", "--package", "tracehub-server", "--package", "tracehub-cli"])
            .args(["--package", "tracehub-examples"])
            .run()
    });
    // Ctrl-C ends cargo as well; the reason of its failure comes first.
    interrupt.check()?;
    built?;
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let database = folder.path().join("tracehub.db");

    let server = [("TRACEHUB_HOST", "127.0.0.1"), ("TRACEHUB_PORT", "0"), ("TRACEHUB_DB", &database.to_string_lossy())];
    let server = start("tracehub-server", &[], &server, &interrupt)?;
    let url = format!("http://{}", server.address());
    let shop = Shop::open(&url, &interrupt)?;
    println!("\nThe page: {url}/   (the till's clock is {CLOCK_AHEAD} s ahead, its bank is slow at times,");
    println!("          and some invoices are begun and never written)");

    let start = Instant::now();
    let orders = orders::place(shop.manager.address(), ORDERS, &interrupt)?;
    let count = |fate| orders.iter().filter(|order| order.fate == fate).count();
    println!(
        "\n{} orders in {:.1} s: {} went well, {} were slow, {} waited for an invoice in vain.",
        orders.len(),
        start.elapsed().as_secs_f64(),
        count(Fate::Good),
        count(Fate::Slow),
        count(Fate::Hung)
    );
    // Several times the interval: every checkpoint has been sent.
    interrupt.wait(Duration::from_secs(1))?;
    tour::guide(&url, &orders, &interrupt)?;

    if keep {
        println!("\nThe shop goes on: look at {url}/ or ask yourself, and end everything with Ctrl-C:");
        println!("  export TRACEHUB_URL={url}");
        println!("  {} correlations --watch", built_program("tracehub-cli").display());
        println!("  {} tail", built_program("tracehub-cli").display());
        // The signal that ends the wait is the expected way out, not an error.
        while interrupt.wait(NEXT_ORDER).is_ok() {
            orders::place_one(shop.manager.address())?;
        }
    }
    shop.close()?;
    server.end()?;
    println!("\nEvery program has ended; the temporary database is deleted.");
    Ok(())
}

impl Shop {
    fn open(url: &str, interrupt: &Interrupt) -> Result<Self> {
        let client = [("TRACEHUB_URL", url), FLUSH_INTERVAL];
        let worker = start("example-worker", &["--port", "0"], &client, interrupt)?;
        let cashier = ["--port", "0", "--clock-ahead", CLOCK_AHEAD];
        let cashier = start("example-cashier", &cashier, &client, interrupt)?;
        let others = [("--worker-url", &worker), ("--cashier-url", &cashier)];
        let others = others.map(|(flag, service)| [flag.to_owned(), format!("http://{}", service.address())]);
        let mut arguments = vec!["--port", "0"];
        arguments.extend(others.iter().flatten().map(String::as_str));
        let manager = start("example-manager", &arguments, &client, interrupt)?;
        Ok(Self { manager, worker, cashier })
    }

    /// A service that is asked to end sends its last checkpoints first.
    fn close(self) -> Result<()> {
        self.manager.end()?;
        self.worker.end()?;
        self.cashier.end()
    }
}

fn start(name: &str, arguments: &[&str], environment: &[(&str, &str)], interrupt: &Interrupt) -> Result<Service> {
    let service = Service::start(&built_program(name), arguments, environment, interrupt)?;
    println!("{name:<16} http://{}", service.address());
    Ok(service)
}
