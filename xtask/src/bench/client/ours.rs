//! Our client as a sender: with a server that acknowledges, one that hangs, and none.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tracehub_client::{CheckpointLogger, FlushOutcome, TraceHubClient};

use super::event::{ENDPOINT, Fate, NAME, OPERATION, Order, Sender};
use super::sink::{Sink, hang};

/// How long the rest of a burst may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Our client with its default settings, and its server.
#[derive(Debug)]
pub(super) struct Ours {
    logger: CheckpointLogger,
    sink: Option<Sink>,
}

impl Ours {
    /// Sends to a server that acknowledges everything at once.
    pub(super) fn start() -> Result<Self> {
        let sink = Sink::start()?;
        let client = TraceHubClient::builder(&sink.url).build()?;
        Ok(Self { logger: CheckpointLogger::new(client, NAME), sink: Some(sink) })
    }

    /// Sends nothing.
    pub(super) fn disabled() -> Self {
        Self { logger: CheckpointLogger::new(TraceHubClient::disabled(), NAME), sink: None }
    }

    /// Has a server that never answers; its queue is empty yet.
    pub(super) fn hanging() -> Result<Self> {
        // So long that nothing is given up and no place becomes free.
        let timeout = Duration::from_hours(1);
        let client = TraceHubClient::builder(&hang()?).timeout(timeout).drop_deadline(Duration::ZERO).build()?;
        Ok(Self { logger: CheckpointLogger::new(client, NAME), sink: None })
    }

    /// Sends until entries are refused, also once the worker has taken what it can.
    pub(super) fn fill(&self, send: impl Fn(&CheckpointLogger)) -> Result<()> {
        let start = Instant::now();
        let mut quiet = 0;
        while quiet < 5 {
            let before = self.logger.client().stats().accepted;
            for _ in 0..20_000 {
                send(&self.logger);
            }
            let stats = self.logger.client().stats();
            quiet = if stats.accepted == before && stats.refused.total() > 0 { quiet + 1 } else { 0 };
            ensure!(start.elapsed() < PATIENCE, "the queue does not fill up");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// The same with plain checkpoints.
    pub(super) fn filled(self) -> Result<Self> {
        self.fill(|logger| logger.checkpoint_entry("full", OPERATION, ENDPOINT, &()))?;
        Ok(self)
    }
}

impl Sender for Ours {
    fn send_bare(&self, correlation_id: &str) {
        self.logger.checkpoint_entry(correlation_id, OPERATION, ENDPOINT, &());
    }

    fn send_with_data(&self, correlation_id: &str, order: &Order) {
        self.logger.checkpoint_entry(correlation_id, OPERATION, ENDPOINT, order);
    }

    fn settle(&self) -> Result<Fate> {
        let client = self.logger.client();
        let Some(sink) = &self.sink else {
            return Ok(Fate { told: client.stats().refused.total(), ..Fate::default() });
        };
        let outcome = client.flush(PATIENCE);
        ensure!(outcome == FlushOutcome::Complete, "the client did not deliver everything: {outcome:?}");
        let stats = client.stats();
        Ok(Fate {
            reached: sink.acknowledged(),
            told: stats.refused.total() + stats.dropped.total(),
            server_cpu: sink.cpu(),
        })
    }
}
