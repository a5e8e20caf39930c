//! When old entries go: once at the start, then every few minutes.

use std::time::Duration;

use crate::ingest::Ingest;

/// Often enough that a clean-up is small, seldom enough to cost nothing.
const INTERVAL: Duration = Duration::from_mins(5);

/// Asks the writer for a clean-up, again and again, until the future is dropped.
pub(crate) async fn ask_regularly(ingest: Ingest) {
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        ingest.clean_up_in_background();
    }
}
