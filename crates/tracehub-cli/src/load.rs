//! Many entries from lines to a server: `lines.rs` reads them, `batch.rs` cuts requests, `delivery.rs` sends them and
//! finds out which line is to blame.

mod batch;
mod delivery;
mod lines;

use std::io;
use std::path::Path;

use serde::Serialize;

pub(crate) use self::batch::Order;
use self::batch::Pending;
pub(crate) use self::delivery::Delivery;
use self::lines::Chunks;
pub(crate) use self::lines::Line;
use crate::failure::Failure;
use crate::output::{Progress, Screen};
use crate::settings::Settings;

/// The most refused lines that are listed; all are counted.
const MAX_LISTED: usize = 1_000;

/// What became of the lines. Only what the server acknowledged is in it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) inserted: u64,
    pub(crate) duplicates: u64,
    /// Lines that are no entries.
    pub(crate) refused: u64,
    pub(crate) refusals: Vec<Refusal>,
}

/// A line that is no entry.
#[derive(Debug, Serialize)]
pub(crate) struct Refusal {
    pub(crate) line: u64,
    pub(crate) reason: String,
}

impl Counts {
    fn refuse(&mut self, line: u64, reason: String) {
        self.refused += 1;
        if self.refusals.len() < MAX_LISTED {
            self.refusals.push(Refusal { line, reason });
        }
    }
}

/// Sends the lines of a file, or of standard input if it is `-`, and says what became of them.
pub(crate) async fn run(
    path: &Path,
    order: Order,
    retries: u32,
    settings: &Settings,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let (mut chunks, size) = lines::open(path)?;
    let mut delivery = Delivery::new(settings, retries, Progress::of_sending(size));
    let outcome = deliver_all(&mut chunks, path, order, &mut delivery).await;
    let counts = delivery.finish();
    if let Err(failure) = outcome {
        screen.loaded(&counts)?;
        return Err(failure);
    }
    screen.loaded(&counts)?;
    match counts.refused {
        0 => Ok(()),
        refused => Err(Failure::LinesRefused { refused }),
    }
}

async fn deliver_all(
    chunks: &mut Chunks,
    path: &Path,
    order: Order,
    delivery: &mut Delivery<'_>,
) -> Result<(), Failure> {
    let failure = |source| Failure::File { path: path.to_owned(), what: "read", source };
    let mut pending = Pending::new(order);
    while let Some(lines) = next_request(chunks, &mut pending).await.map_err(failure)? {
        delivery.deliver(lines).await?;
    }
    Ok(())
}

/// The lines of the next request: as many as there are by now and fit. None at the end.
async fn next_request(chunks: &mut Chunks, pending: &mut Pending) -> io::Result<Option<Vec<Line>>> {
    if pending.is_empty() {
        let Some(chunk) = chunks.recv().await else { return Ok(None) };
        pending.extend(chunk?);
    }
    while !pending.is_enough() {
        let Ok(chunk) = chunks.try_recv() else { break };
        pending.extend(chunk?);
    }
    Ok(Some(pending.cut()))
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[test]
    fn what_has_come_meanwhile_goes_along() {
        let (sender, mut chunks) = mpsc::channel(10);
        let line = |number| Line { number, end: number, json: Ok("{}".to_owned()), timestamp: None };
        for chunk in 0..6 {
            sender.try_send(Ok((0..150).map(|number| line(chunk * 150 + number)).collect())).unwrap();
        }
        drop(sender);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut pending = Pending::new(Order::AsTheServerLikes);
        let mut lengths = Vec::new();
        while let Some(lines) = runtime.block_on(next_request(&mut chunks, &mut pending)).unwrap() {
            lengths.push(lines.len());
        }
        assert_eq!(lengths, [500, 400]);
    }
}
