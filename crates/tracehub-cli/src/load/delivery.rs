//! One request after the other: again while the server is busy, and in parts when a line of it is to blame.

use std::time::Duration;

use tracehub_client::{IngestReply, QueryError, TraceHubQueryClient};

use super::{Counts, Line};
use crate::failure::Failure;
use crate::output::Progress;
use crate::settings::Settings;

/// The longest first wait; each further one may be twice as long.
const BASE_WAIT: Duration = Duration::from_millis(100);
/// The longest wait without a word of the server.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// The longest wait that a server can ask for. A `Retry-After` of a day is taken for a mistake.
const MAX_ASKED_WAIT: Duration = Duration::from_mins(5);

/// Brings lines to a server and counts what it acknowledges.
pub(crate) struct Delivery<'a> {
    client: &'a TraceHubQueryClient,
    retries: u32,
    counts: Counts,
    progress: Progress,
    /// Whether the server has answered: one that was never there is not waited for.
    met: bool,
}

impl<'a> Delivery<'a> {
    pub(crate) fn new(settings: &'a Settings, retries: u32, progress: Progress) -> Self {
        Self { client: &settings.client, retries, counts: Counts::default(), progress, met: false }
    }

    /// What was acknowledged and what was refused.
    pub(crate) fn finish(self) -> Counts {
        let Self { mut counts, progress, .. } = self;
        progress.finish();
        // Those that the server refuses are known after those that are no JSON.
        counts.refusals.sort_by_key(|refusal| refusal.line);
        counts
    }

    /// Sends lines in their order. After an error, what was acknowledged is counted and the rest is not stored, as far as
    /// is known.
    pub(crate) async fn deliver(&mut self, lines: Vec<Line>) -> Result<(), Failure> {
        let end = lines.last().map_or(0, |line| line.end);
        // What is still to be sent, the next at the end.
        let mut parts = vec![self.entries_of(lines)];
        while let Some(mut part) = parts.pop() {
            let Some(first) = part.first().map(|entry| entry.line) else { continue };
            let failed = |source| Failure::SendStopped { line: first, source };
            match self.post(&part).await.map_err(failed)? {
                IngestReply::Stored(answer) => {
                    self.counts.accepted += answer.accepted;
                    self.counts.inserted += answer.inserted;
                    self.counts.duplicates += answer.duplicates;
                }
                IngestReply::Refused { status: 400 | 413 | 422, faults, .. } if !faults.is_empty() => {
                    let mut kept = Vec::with_capacity(part.len());
                    for (place, entry) in part.into_iter().enumerate() {
                        match faults.iter().find(|fault| fault.entry == place) {
                            Some(fault) => self.refuse(entry.line, fault.reason.clone()),
                            None => kept.push(entry),
                        }
                    }
                    parts.push(kept);
                }
                IngestReply::Refused { status: 400 | 413 | 422, .. } if part.len() > 1 => {
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                }
                IngestReply::Refused { status: 400 | 413 | 422, message, .. } => self.refuse(first, message),
                IngestReply::Refused { status, message, .. } => {
                    return Err(failed(QueryError::Status { status, message }));
                }
                other => return Err(failed(unknown(&other))),
            }
        }
        self.progress.reached(self.counts.accepted, end);
        Ok(())
    }

    fn entries_of(&mut self, lines: Vec<Line>) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(lines.len());
        for line in lines {
            match line.json {
                Ok(json) => entries.push(Entry { line: line.number, json }),
                Err(reason) => self.refuse(line.number, reason),
            }
        }
        entries
    }

    fn refuse(&mut self, line: u64, reason: String) {
        self.progress.refused(line, &reason);
        self.counts.refuse(line, reason);
    }

    /// One request, again while that may help.
    async fn post(&mut self, entries: &[Entry]) -> Result<IngestReply, QueryError> {
        let mut retried = 0;
        loop {
            let outcome = self.client.ingest(entries.iter().map(|entry| entry.json.as_str())).await;
            let asked = match &outcome {
                Ok(IngestReply::Refused { status: 408 | 429 | 502 | 503 | 504, retry_after, .. }) => *retry_after,
                Err(QueryError::Unreachable { .. } | QueryError::TimedOut { .. }) if self.met => None,
                _ => {
                    self.met = true;
                    return outcome;
                }
            };
            self.met = true;
            if retried == self.retries {
                return outcome;
            }
            let wait = wait(retried, asked, fastrand::f64());
            self.progress.waits(wait);
            tokio::time::sleep(wait).await;
            retried += 1;
        }
    }
}

/// A line that is on its way.
struct Entry {
    line: u64,
    json: String,
}

/// What the server asks for, and on top of it anything up to a limit that doubles, so that those who were refused
/// together do not come back together.
fn wait(retried: u32, asked: Option<Duration>, chance: f64) -> Duration {
    let ceiling = BASE_WAIT.saturating_mul(2_u32.saturating_pow(retried)).min(MAX_WAIT);
    asked.unwrap_or_default().min(MAX_ASKED_WAIT) + ceiling.mul_f64(chance)
}

/// The client may learn of answers that this program does not know.
fn unknown(reply: &IngestReply) -> QueryError {
    QueryError::Status { status: 0, message: format!("{reply:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_begin_short_double_and_respect_what_is_asked() {
        assert_eq!(wait(0, None, 1.0), Duration::from_millis(100));
        assert_eq!(wait(3, None, 0.5), Duration::from_millis(400));
        assert_eq!(wait(99, None, 1.0), MAX_WAIT);
        assert_eq!(wait(0, Some(Duration::from_secs(7)), 0.0), Duration::from_secs(7));
        assert_eq!(wait(0, Some(Duration::from_hours(24)), 0.0), MAX_ASKED_WAIT);
    }
}
