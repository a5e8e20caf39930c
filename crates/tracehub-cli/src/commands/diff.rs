//! `diff`: what is different in one chain from another.

use tracehub_client::Clocks;

use super::chain_id;
use crate::args::DiffArgs;
use crate::failure::Failure;
use crate::output::Screen;
use crate::settings::Settings;

pub(crate) async fn run(args: &DiffArgs, settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    let (mut a, mut b) = (args.a.clone(), args.b.clone());
    let mut answer = settings.client.compare(&a, &b, Clocks::Corrected).await?;
    if answer.a.count == 0 || answer.b.count == 0 {
        for (id, count) in [(&mut a, answer.a.count), (&mut b, answer.b.count)] {
            if count == 0 {
                *id = chain_id::complete(id, settings).await?;
            }
        }
        answer = settings.client.compare(&a, &b, Clocks::Corrected).await?;
    }
    Ok(screen.diff(&answer)?)
}
