//! What every sender sends, and what a sender is to this benchmark.

use anyhow::Result;
use serde::Serialize;

/// The name that each event has: our source.
pub(super) const NAME: &str = "MA";
pub(super) const OPERATION: &str = "REST";
pub(super) const ENDPOINT: &str = "/api/orders";
/// The three fields of an event with data.
pub(super) const ORDER: Order = Order { items: 3, customer: "customer-42", paid: true };

/// Three fields, as a service would log them.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Order {
    pub(super) items: u32,
    pub(super) customer: &'static str,
    pub(super) paid: bool,
}

/// How many correlation ids a thread has.
pub(super) const IDS: usize = 64;

/// Correlation ids for a thread to use in turn.
pub(super) fn ids(thread: usize) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(thread as u64);
    (0..IDS).map(|_| format!("{:032x}", random.u128(..))).collect()
}

/// Something that takes events on the calling thread and brings them away on another.
pub(super) trait Sender: Sync {
    /// Sends an event that has a name, a correlation id, an operation and an endpoint.
    fn send_bare(&self, correlation_id: &str);

    /// Sends one with three fields beside.
    fn send_with_data(&self, correlation_id: &str, order: &Order);

    /// Waits until what was sent has got through or is lost, and says what became of it since the start.
    fn settle(&self) -> Result<Fate>;
}

/// What became of the events.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fate {
    /// How many got through to the exporter, or to the server.
    pub(super) reached: u64,
    /// How many losses the sender tells the program. A warning in a log is not that.
    pub(super) told: u64,
    /// Nanoseconds of CPU time on threads of this process that stand for the server.
    pub(super) server_cpu: f64,
}

impl Fate {
    /// How many of the events are lost without the program being told.
    pub(super) fn untold(self, sent: usize) -> u64 {
        (sent as u64).saturating_sub(self.reached + self.told)
    }
}
