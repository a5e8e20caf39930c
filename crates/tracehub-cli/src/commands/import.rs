//! `import`: what `export` wrote, back in its order.

use crate::args::ImportArgs;
use crate::failure::Failure;
use crate::load::{self, Order};
use crate::output::Screen;
use crate::settings::Settings;

pub(crate) async fn run(args: &ImportArgs, settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    load::run(&args.file, Order::AsTheLinesAre, args.retry.retries, settings, screen).await
}
