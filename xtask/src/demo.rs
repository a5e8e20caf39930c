//! `cargo xtask demo`: a server and two services, twenty orders, and what the command-line tool tells about them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::process::{Interrupt, Service, built_program, cargo, emphasised, set_environment, stage};

/// How many orders are placed: enough for two that go wrong.
const ORDERS: u32 = 20;
/// How long an order may take: more than the manager waits for the worker.
const ORDER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the services keep checkpoints before they send them. Short, because the demo wants to show them.
const FLUSH_INTERVAL: (&str, &str) = ("TRACEHUB_FLUSH_INTERVAL", "0.1");

/// What the manager answered to one order.
#[derive(Debug)]
struct Answer {
    status: u16,
    correlation_id: String,
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
    let client = [("TRACEHUB_URL", url.as_str()), FLUSH_INTERVAL];
    let worker = start("example-worker", &["--port", "0"], &client, &interrupt)?;
    let worker_url = format!("http://{}", worker.address());
    let manager = start("example-manager", &["--port", "0", "--worker-url", &worker_url], &client, &interrupt)?;

    let unfinished = place_orders(manager.address(), &interrupt)?;
    let mut services = Some((manager, worker));
    if keep {
        // Several times the interval: every checkpoint has been sent.
        interrupt.wait(Duration::from_secs(1))?;
    } else {
        // A service that is asked to end sends its last checkpoints first.
        end(&mut services)?;
    }
    show(&url, &["correlations"])?;
    show(&url, &["show", &unfinished])?;

    if let Some((manager, _)) = &services {
        println!("\nThe server:    {url}");
        println!(
            "Another order: curl -X POST http://{}/orders -H 'Content-Type: application/json' \\",
            manager.address()
        );
        println!("                 -d '{{\"item\":\"lamp\",\"quantity\":1}}'");
        println!("What it did:   TRACEHUB_URL={url} {} correlations", built_program("tracehub-cli").display());
        println!("Ctrl-C ends everything.");
        // The signal that ends the wait is the expected way out, not an error.
        while interrupt.wait(Duration::from_mins(1)).is_ok() {}
    }
    end(&mut services)?;
    server.end()?;
    println!("\nEvery program has ended; the temporary database is deleted.");
    Ok(())
}

fn start(name: &str, arguments: &[&str], environment: &[(&str, &str)], interrupt: &Interrupt) -> Result<Service> {
    let service = Service::start(&built_program(name), arguments, environment, interrupt)?;
    println!("{name:<16} http://{}", service.address());
    Ok(service)
}

/// The manager first: it must not find the worker gone in the middle of an order.
fn end(services: &mut Option<(Service, Service)>) -> Result<()> {
    if let Some((manager, worker)) = services.take() {
        manager.end()?;
        worker.end()?;
    }
    Ok(())
}

/// Places the orders and returns the correlation id of the last that went wrong.
fn place_orders(manager: &str, interrupt: &Interrupt) -> Result<String> {
    let start = Instant::now();
    let mut late = Vec::new();
    for _ in 0..ORDERS {
        interrupt.check()?;
        let answer = place_order(manager).with_context(|| format!("an order at http://{manager} failed"))?;
        match answer.status {
            200 => {}
            504 => late.push(answer.correlation_id),
            other => anyhow::bail!("the manager answered {other} to the order {}", answer.correlation_id),
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("\n{ORDERS} orders placed in {seconds:.1} s; {} of them waited for an invoice in vain.", late.len());
    late.pop().context("no order went wrong, but every seventh should")
}

/// One HTTP request by hand: not worth a client library in every build of this crate.
fn place_order(manager: &str) -> Result<Answer> {
    let body = r#"{"item":"lamp","quantity":1}"#;
    let mut connection = TcpStream::connect(manager)?;
    connection.set_read_timeout(Some(ORDER_TIMEOUT))?;
    write!(
        connection,
        "POST /orders HTTP/1.1\r\nHost: {manager}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    read_answer(&answer)
}

fn read_answer(answer: &str) -> Result<Answer> {
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no HTTP status")?;
    let header = head.lines().filter_map(|line| line.split_once(": "));
    let (_, id) = header
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("x-correlation-id"))
        .context("the answer carries no X-Correlation-ID")?;
    Ok(Answer { status, correlation_id: id.to_owned() })
}

/// Prints and runs a command of the command-line tool.
fn show(url: &str, arguments: &[&str]) -> Result<()> {
    println!("\n{}", emphasised(&format!("$ tracehub-cli {}", arguments.join(" "))));
    let mut command = Command::new(built_program("tracehub-cli"));
    command.args(arguments);
    set_environment(&mut command, &[("TRACEHUB_URL", url)]);
    let status = command.status().context("tracehub-cli did not start")?;
    ensure!(status.success(), "`tracehub-cli {}` ended with {status}", arguments.join(" "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_id_are_read_from_an_answer() {
        let answer =
            read_answer("HTTP/1.1 504 Gateway Timeout\r\nx-correlation-id: a-1\r\nb: c\r\n\r\n{}").expect("valid");
        assert_eq!((answer.status, answer.correlation_id.as_str()), (504, "a-1"));
        assert!(read_answer("HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
