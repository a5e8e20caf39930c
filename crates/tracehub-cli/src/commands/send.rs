//! `send`: one entry from flags, or many from lines.

use tracehub_client::{Direction, TraceEntry};
use tracehub_core::wire::read::write_entry;

use crate::args::{EntryArgs, SendArgs, now};
use crate::failure::Failure;
use crate::load::{self, Delivery, Line, Order};
use crate::output::{Progress, Screen};
use crate::settings::Settings;

pub(crate) async fn run(args: &SendArgs, settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    let retries = args.retry.retries;
    if let Some(path) = args.file.as_ref().or(args.input.as_ref()) {
        return load::run(path, Order::AsTheServerLikes, retries, settings, screen).await;
    }
    let entry = entry(&args.entry)?;
    let mut json = Vec::with_capacity(256);
    write_entry(&mut json, &entry.as_ref());
    let json = String::from_utf8(json).map_err(|err| err.to_string());
    let mut delivery = Delivery::new(settings, retries, Progress::of_sending(None));
    let outcome = delivery.deliver(vec![Line { number: 1, end: 0, json, timestamp: None }]).await;
    let counts = delivery.finish();
    match outcome {
        // Of one entry nothing needs to be said but why.
        Err(Failure::SendStopped { source, .. }) => return Err(Failure::Query(source)),
        Err(other) => return Err(other),
        Ok(()) => screen.loaded(&counts)?,
    }
    match counts.refused {
        0 => Ok(()),
        refused => Err(Failure::LinesRefused { refused }),
    }
}

fn entry(args: &EntryArgs) -> Result<TraceEntry, Failure> {
    let text = |given: &Option<String>, usual: &str| given.clone().unwrap_or_else(|| usual.to_owned());
    let direction = match args.direction.as_deref() {
        None | Some("enter") => Direction::Enter,
        Some("leave") => Direction::Leave,
        Some(other) => Direction::from(other),
    };
    let this_machine = gethostname::gethostname().to_string_lossy().into_owned();
    let mut entry = TraceEntry::builder(text(&args.source, "cli"), args.id.clone().unwrap_or_default())
        .direction(direction)
        .operation(text(&args.operation, "CLI"))
        .endpoint(text(&args.endpoint, "/"))
        .hostname(text(&args.host, &this_machine))
        .timestamp(args.timestamp.unwrap_or_else(now))
        .suffix(args.suffix.clone().unwrap_or_else(random_suffix));
    if let Some(data) = &args.data {
        entry = entry.data_json(data.trim());
    }
    entry.build().map_err(Failure::InvalidEntry)
}

/// Enough that two entries of one source and millisecond do not meet.
fn random_suffix() -> String {
    (0..8).map(|_| fastrand::alphanumeric()).collect()
}
