//! What the screenshots show: a morning of a small shop. The same every time, to the millisecond.

use serde_json::{Value, json};

/// When the shop opened that day, Unix milliseconds: 2026-11-23 09:00:00 UTC.
const OPENING: f64 = 1_795_424_400_000.0;
/// How many orders there are.
const ORDERS: u32 = 24;
/// The order whose payment never answered.
pub(super) const HUNG: u32 = 1019;
/// The order that waited for the stock.
pub(super) const SLOW: u32 = 1014;
/// One where all went well.
pub(super) const GOOD: u32 = 1016;

/// The chain of an order.
pub(super) fn id(order: u32) -> String {
    format!("order-{order}")
}

/// Every entry of the morning, as `POST /ingest` takes them.
pub(super) fn morning() -> Value {
    let traces: Vec<Value> = (1000..1000 + ORDERS).flat_map(order).collect();
    json!({ "traces": traces })
}

/// What one order does in four services.
fn order(number: u32) -> Vec<Value> {
    // Looks like chance, and is none.
    let chance = |salt: u32, below: u32| f64::from((number * 7919 + salt * 104_729) / 13 % below);
    let mut chain = Chain::new(number, OPENING + f64::from(number - 1000) * 41_300.0 + chance(1, 20_000));
    let items = 1 + (number * 5) % 4;
    let total = 1990 * items;
    let reserve = if number == SLOW { 1_840.0 } else { 18.0 + chance(2, 30) };
    let charge = 60.0 + chance(3, 90);
    let email = chance(4, 12);

    let gateway = chain.enter(
        "gateway",
        "edge-1",
        "POST",
        "/api/orders",
        &json!({"customer": format!("c-{}", 300 + number % 90)}),
    );
    chain.pass(3.0);
    let orders = chain.enter(
        "orders",
        "app-1",
        "POST",
        "/orders",
        &json!({"order": number, "items": items, "total_cents": total}),
    );
    chain.pass(2.0);
    let select = chain.enter("orders", "app-1", "DB", "select customers", &json!({"rows": 1}));
    chain.pass(4.0 + chance(5, 5));
    chain.leave(&select, &json!({"rows": 1}));
    chain.pass(1.0);
    let stock = chain.enter("stock", "app-2", "POST", "/stock/reserve", &json!({"sku": "lamp-7", "quantity": items}));
    chain.pass(1.0);
    let update = chain.enter("stock", "app-2", "DB", "update stock", &json!({"sku": "lamp-7"}));
    chain.pass(reserve);
    chain.leave(&update, &json!({"rows": 1, "lock_wait_ms": if number == SLOW { 1_822 } else { 0 }}));
    chain.pass(1.0);
    chain.leave(&stock, &json!({"reserved": true}));
    chain.pass(2.0);
    let payment = chain.enter("payment", "app-3", "POST", "/payments", &json!({"total_cents": total, "card": "***"}));
    chain.pass(4.0);
    let bank = chain.enter("payment", "app-3", "CALL", "bank.example/charge", &json!({"attempt": 1}));
    if number == HUNG {
        chain.pass(3_000.0);
        chain.leave(&orders, &json!({"status": 504, "error": "the payment did not answer within 3 s"}));
        chain.pass(2.0);
        chain.leave(&gateway, &json!({"status": 504}));
        return chain.entries;
    }
    chain.pass(charge);
    chain.leave(&bank, &json!({"status": 200}));
    chain.pass(2.0);
    chain.leave(&payment, &json!({"paid": true}));
    chain.pass(1.0);
    let event = chain.enter("orders", "app-1", "QUEUE", "order.placed", &json!({"order": number}));
    chain.pass(2.0 + email);
    chain.leave(&event, &Value::Null);
    chain.pass(1.0);
    chain.leave(&orders, &json!({"status": 201}));
    chain.pass(2.0);
    chain.leave(&gateway, &json!({"status": 201}));
    chain.entries
}

/// A chain that is being told, and the time in it.
struct Chain {
    id: String,
    now: f64,
    entries: Vec<Value>,
}

impl Chain {
    fn new(order: u32, start: f64) -> Self {
        Self { id: id(order), now: start, entries: Vec::new() }
    }

    fn pass(&mut self, milliseconds: f64) {
        self.now += milliseconds;
    }

    /// Enters a call; gives what its leave repeats.
    fn enter(&mut self, source: &str, host: &str, operation: &str, endpoint: &str, data: &Value) -> Value {
        let entry = json!({
            "source_id": source, "correlation_id": self.id, "timestamp": self.now,
            "suffix": format!("{:03}", self.entries.len()), "direction": "->", "operation": operation,
            "endpoint": endpoint, "hostname": host, "data": data,
        });
        self.entries.push(entry.clone());
        entry
    }

    fn leave(&mut self, enter: &Value, data: &Value) {
        let mut entry = enter.clone();
        entry["direction"] = "<-".into();
        entry["timestamp"] = self.now.into();
        entry["data"] = data.clone();
        self.entries.push(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_has_its_two_mishaps() {
        let count = |number| order(number).len();
        assert_eq!((count(HUNG), count(GOOD)), (count(GOOD) - 4, count(SLOW)));
        assert_eq!(morning(), morning());
    }
}
