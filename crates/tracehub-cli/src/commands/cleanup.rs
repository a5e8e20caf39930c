//! `cleanup`: delete now what is older than the server's retention.

use std::io::{BufRead as _, IsTerminal as _};

use crate::args::CleanupArgs;
use crate::failure::Failure;
use crate::output::{self, Screen};
use crate::settings::Settings;

pub(crate) async fn run(args: &CleanupArgs, settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    if !args.yes {
        confirm(settings).await?;
    }
    let answer = settings.client.cleanup().await?;
    Ok(screen.cleanup(answer)?)
}

async fn confirm(settings: &Settings) -> Result<(), Failure> {
    // The question goes to standard error: where that is no terminal, nobody would see what is waited for.
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(Failure::Unconfirmed);
    }
    let health = settings.client.health().await?;
    output::ask(&format!(
        "Delete what is older than {} hours at {}? [y/N] ",
        health.retention_hours,
        settings.client.url()
    ));
    // Reading blocks, and Ctrl-C must go on working: the line is read on a thread for blocking work.
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let answer = answer.await.map_err(|err| Failure::Runtime(std::io::Error::other(err)))?.map_err(Failure::Input)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::Declined),
    }
}
