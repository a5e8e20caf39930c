//! What the tests send: a small shop, with one call that never came back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tracehub_client::{Direction, FlushOutcome, TraceEntry, TraceHubClient};

/// A call: who, where, what, and from when to when, in milliseconds from the start of its chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call(
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) f64,
    pub(crate) Option<f64>,
);

/// An order that went well: four calls on three hosts in 120 ms.
pub(crate) const ORDER: [Call; 4] = [
    Call("gateway", "edge-1", "/api/orders", 0.0, Some(120.0)),
    Call("orders", "app-1", "/orders", 5.0, Some(110.0)),
    Call("stock", "app-2", "/stock/reserve", 10.0, Some(40.0)),
    Call("payment", "app-2", "/payment/charge", 45.0, Some(105.0)),
];
/// One whose payment never answered.
pub(crate) const HUNG: [Call; 3] = [
    Call("gateway", "edge-1", "/api/orders", 0.0, Some(2_000.0)),
    Call("orders", "app-1", "/orders", 5.0, Some(1_990.0)),
    Call("payment", "app-2", "/payment/charge", 45.0, None),
];

/// The entries of a chain that began `seconds_ago`.
pub(crate) fn entries(chain: &str, seconds_ago: f64, calls: &[Call]) -> Vec<Value> {
    let start = (now_ms() - seconds_ago * 1000.0).floor();
    let entry = |call: &Call, number: usize, direction: &str, at: f64| {
        json!({
            "source_id": call.0, "correlation_id": chain, "timestamp": start + at, "suffix": format!("{number}"),
            "direction": direction, "operation": "REST", "endpoint": call.2, "hostname": call.1,
            "data": {"number": number},
        })
    };
    let pairs = calls.iter().enumerate().flat_map(|(number, call)| {
        let enter = entry(call, number, "->", call.3);
        std::iter::once(enter).chain(call.4.map(|end| entry(call, number, "<-", end)))
    });
    pairs.collect()
}

/// Sends a chain as a service does, with the client.
pub(crate) fn send(url: &str, chain: &str, calls: &[Call]) {
    let client = TraceHubClient::builder(url).build().expect("the settings are valid");
    let start = now_ms();
    for (number, call) in calls.iter().enumerate() {
        let ends = call.4.map(|end| (Direction::Leave, end));
        for (direction, at) in std::iter::once((Direction::Enter, call.3)).chain(ends) {
            let entry = TraceEntry::builder(call.0, chain)
                .direction(direction)
                .operation("REST")
                .endpoint(call.2)
                .hostname(call.1)
                .timestamp(start + at)
                .suffix(number.to_string())
                .build();
            client.send(entry.expect("a valid entry")).expect("there is room");
        }
    }
    assert_eq!(client.flush(Duration::from_secs(10)), FlushOutcome::Complete);
}

/// Unix time in milliseconds.
pub(crate) fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs_f64() * 1000.0
}
