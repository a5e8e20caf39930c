//! Orders at the shop: many at a time, as customers come.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::Interrupt;

/// How long an order may take: more than the manager waits for the others.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many customers order at a time.
const CUSTOMERS: usize = 8;
/// An order that takes longer had to wait for something.
const SLOW: Duration = Duration::from_millis(250);

/// What became of an order.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) correlation_id: String,
    pub(super) fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Good,
    Slow,
    /// Something in it never came back.
    Hung,
}

/// What the manager answered to one order.
#[derive(Debug)]
struct Answer {
    status: u16,
    correlation_id: String,
}

/// Places so many orders; gives what became of them, in the order of their answers.
pub(super) fn place(manager: &str, count: u32, interrupt: &Interrupt) -> Result<Vec<Order>> {
    let (placed, orders) = (AtomicU32::new(0), Mutex::new(Vec::new()));
    let customer = || -> Result<()> {
        while placed.fetch_add(1, Ordering::Relaxed) < count {
            interrupt.check()?;
            let order = place_one(manager)?;
            orders.lock().unwrap_or_else(PoisonError::into_inner).push(order);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let customers: Vec<_> = (0..CUSTOMERS).map(|_| scope.spawn(customer)).collect();
        customers.into_iter().try_for_each(|customer| match customer.join() {
            Ok(outcome) => outcome,
            Err(_) => bail!("a customer panicked"),
        })
    })?;
    Ok(orders.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Places one order.
pub(super) fn place_one(manager: &str) -> Result<Order> {
    let start = Instant::now();
    let answer = request(manager).with_context(|| format!("an order at http://{manager} failed"))?;
    let fate = match answer.status {
        200 if start.elapsed() < SLOW => Fate::Good,
        200 => Fate::Slow,
        504 => Fate::Hung,
        other => bail!("the manager answered {other} to the order {}", answer.correlation_id),
    };
    Ok(Order { correlation_id: answer.correlation_id, fate })
}

/// One HTTP request by hand: not worth a client library in every build of this crate.
fn request(manager: &str) -> Result<Answer> {
    let body = r#"{"item":"lamp","quantity":1}"#;
    let mut connection = TcpStream::connect(manager)?;
    connection.set_read_timeout(Some(TIMEOUT))?;
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
