//! `stats`: how much there is, what waits, and what came.

use crate::failure::Failure;
use crate::output::Screen;
use crate::settings::Settings;

pub(crate) async fn run(settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    let answer = settings.client.stats().await?;
    Ok(screen.stats(settings.client.url(), &answer)?)
}
