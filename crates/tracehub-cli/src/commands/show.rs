//! `show`: one chain as a tree of calls.

use crate::args::ShowArgs;
use crate::failure::Failure;
use crate::output::Screen;
use crate::settings::Settings;

pub(crate) async fn run(args: &ShowArgs, settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    let answer = settings.client.get_traces(&args.correlation_id, args.source.as_deref()).await?;
    if answer.traces.is_empty() {
        let id = args.correlation_id.clone();
        return Err(match &args.source {
            Some(source) => Failure::UnknownSource { id, source_id: source.clone() },
            None => Failure::UnknownChain { id, url: settings.client.url().to_owned() },
        });
    }
    Ok(screen.chain(&answer)?)
}
