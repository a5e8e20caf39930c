//! `health`: is the server well?

use crate::failure::Failure;
use crate::output::Screen;
use crate::settings::Settings;

pub(crate) async fn run(settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    let answer = settings.client.health().await?;
    screen.health(settings.client.url(), &answer)?;
    if answer.status == "healthy" { Ok(()) } else { Err(Failure::Unhealthy { status: answer.status }) }
}
