//! The program `tracehub-cli`: dispatch, exit codes, and a quiet end on a closed pipe. A library only so that the targets
//! in `fuzz/` reach its parsers.

mod args;
mod commands;
mod failure;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod load;
mod output;
mod settings;

use std::process::ExitCode;

use crate::args::Command;
use crate::failure::Failure;
use crate::output::Screen;
use crate::settings::{Config, Settings};

/// Does what the command line says; gives the code to exit with.
#[must_use]
pub fn start() -> ExitCode {
    let mut typed = args::parse();
    typed.args.shorten();
    // These need no settings, so a config file that is wrong does not stop them.
    let config = match &typed.args.command {
        Command::Serve(_) | Command::Completions(_) | Command::Man(_) => None,
        _ => match Config::complete(&mut typed) {
            Ok(config) => Some(config),
            Err(failure) => return end(&failure),
        },
    };
    let args = &typed.args;
    let pager = config.as_ref().and_then(|config| config.pager.clone());
    let mut screen = Screen::new(&args.output).with_pager(pager);
    if matches!(args.command, Command::Export(_) | Command::Completions(_) | Command::Man(_)) {
        screen = screen.for_programs();
    }
    let outcome = match (&args.command, config) {
        (Command::Serve(args), _) => commands::serve::run(args),
        (Command::Completions(args), _) => commands::manual::completions(args, &mut screen),
        (Command::Man(args), _) => commands::manual::man(args, &mut screen),
        (Command::Config(_), Some(config)) => screen.config(&config).map_err(Failure::Output),
        (command, _) => Settings::resolve(&args.connection).and_then(|settings| run(command, &settings, &mut screen)),
    };
    let outcome = outcome.and_then(|()| Ok(screen.flush()?));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the other end has seen enough; that is how pagers and `head` end.
        Err(Failure::Output(err)) if err.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            // What was shown so far belongs before the error.
            let _ = screen.flush();
            end(&failure)
        }
    }
}

fn end(failure: &Failure) -> ExitCode {
    output::complain(failure);
    failure.exit_code()
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
                Command::Recent(args) => commands::recent::run(args, settings, screen).await,
                Command::Diff(args) => commands::diff::run(args, settings, screen).await,
                Command::Health => commands::health::run(settings, screen).await,
                Command::Cleanup(args) => commands::cleanup::run(args, settings, screen).await,
                Command::Stats => commands::stats::run(settings, screen).await,
                Command::Send(args) => commands::send::run(args, settings, screen).await,
                Command::Export(args) => commands::export::run(args, settings, screen).await,
                Command::Import(args) => commands::import::run(args, settings, screen).await,
                // Done without a server.
                Command::Serve(_) | Command::Completions(_) | Command::Man(_) | Command::Config(_) => Ok(()),
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
