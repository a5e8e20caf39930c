//! The binary `tracehub-cli`: dispatch, exit codes, and a quiet end on a closed pipe.

mod args;
mod commands;
mod failure;
mod output;
mod settings;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};
use crate::failure::Failure;
use crate::output::Screen;
use crate::settings::Settings;

fn main() -> ExitCode {
    let args = Args::parse();
    let mut screen = Screen::new(&args.output);
    let outcome = Settings::resolve(&args.connection).and_then(|settings| run(&args.command, &settings, &mut screen));
    let outcome = outcome.and_then(|()| Ok(screen.flush()?));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the other end has seen enough; that is how pagers and `head` end.
        Err(Failure::Output(err)) if err.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            // What was shown so far belongs before the error.
            let _ = screen.flush();
            output::complain(&failure);
            failure.exit_code()
        }
    }
}

/// Runs one command on a runtime of its own; Ctrl-C ends it at any point.
fn run(command: &Command, settings: &Settings, screen: &mut Screen) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Runtime)?;
    let outcome = runtime.block_on(async {
        let command = async {
            match command {
                Command::Correlations(args) => commands::correlations::run(args, settings, screen).await,
                Command::Show(args) => commands::show::run(args, settings, screen).await,
                Command::Tail(args) => commands::tail::run(args, settings, screen).await,
                Command::Health => commands::health::run(settings, screen).await,
                Command::Cleanup(args) => commands::cleanup::run(args, settings, screen).await,
            }
        };
        tokio::select! {
            // First, so that the signal is waited for before anything is done.
            biased;
            interrupted = tokio::signal::ctrl_c() => Err(interrupted.map_or_else(Failure::Runtime, |()| Failure::Interrupted)),
            outcome = command => outcome,
        }
    });
    // Dropping the runtime would wait for the thread that reads an answer, so Ctrl-C at a question would do nothing.
    runtime.shutdown_background();
    outcome
}
