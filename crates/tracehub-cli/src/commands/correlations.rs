//! `correlations`: the most recently active chains.

use crate::args::CorrelationsArgs;
use crate::failure::Failure;
use crate::output::Screen;
use crate::settings::Settings;

pub(crate) async fn run(args: &CorrelationsArgs, settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    let answer = settings.client.list_correlations(args.limit).await?;
    Ok(screen.correlations(&answer)?)
}
