//! `recent`: the newest entries of all chains.

use tracehub_client::RecentQuery;

use crate::args::RecentArgs;
use crate::failure::Failure;
use crate::output::Screen;
use crate::settings::Settings;

pub(crate) async fn run(args: &RecentArgs, settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    let mut query = RecentQuery::new().limit(args.limit);
    if let Some(source) = &args.source {
        query = query.source(source);
    }
    if let Some(after) = args.after {
        query = query.since_id(after);
    }
    let answer = settings.client.recent(&query).await?;
    Ok(screen.recent(&answer)?)
}
