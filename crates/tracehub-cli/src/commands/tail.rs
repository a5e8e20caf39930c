//! `tail`: one chain, live.

use std::time::Duration;

use tracehub_client::StreamEvent;

use crate::args::TailArgs;
use crate::failure::Failure;
use crate::output::Screen;
use crate::settings::Settings;

/// As good as for ever: a year.
const UNTIL_INTERRUPTED: u64 = 31_536_000;

pub(crate) async fn run(args: &TailArgs, settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    let timeout = Duration::from_secs(args.timeout.unwrap_or(UNTIL_INTERRUPTED));
    let url = || settings.client.url().to_owned();
    let mut stream = settings.client.stream_traces(&args.correlation_id, timeout).await?;
    while let Some(event) = stream.next().await {
        match event? {
            StreamEvent::Entry { entry, .. } => {
                screen.entry(&entry)?;
                // Live means now, not when a buffer is full.
                screen.flush()?;
            }
            StreamEvent::Timeout => return Ok(()),
            StreamEvent::Shutdown => return Err(Failure::ServerStopped { url: url() }),
        }
    }
    Err(Failure::StreamEnded { url: url() })
}
