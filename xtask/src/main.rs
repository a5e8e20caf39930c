//! `cargo xtask <command>`: the project's own commands. This file reads the command line; each command has a file.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what a command for a person at a terminal is for"
)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod abuse;
mod bench;
mod ci;
mod demo;
mod fuzz;
mod fuzz_http;
mod kill;
mod powercut;
mod process;
mod screenshots;
mod setup;
mod soak;
mod test;
mod tidy;

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check everything that a change must pass: setup, format, tidy, clippy, docs, features, tests, demo
    ///
    /// Stops at the first stage that fails and names it. This is what continuous integration runs, nothing more.
    Ci,

    /// Install what the tests need beside Rust: the Python `tracehub` 0.1.0 and schemathesis, in target/python, Chromium,
    /// promtool, in target/promtool, systemd-analyze, strace and libfaketime
    ///
    /// Creates a virtual environment there and says what it does. What is missing of Python, its venv module, Chromium, its
    /// driver, systemd-analyze, strace and libfaketime is installed with apt-get (as root), or the command to run is printed.
    /// Done already, it returns at once.
    Setup,

    /// Run the tests, after setup and a build of the programs they start
    ///
    /// What follows `--` goes to `cargo test`: `cargo xtask test -- retention` runs the tests with that name,
    /// `cargo xtask test -- --test it -- --nocapture` shows what the integration tests print.
    Test {
        /// Arguments for `cargo test`
        #[arg(last = true, value_name = "ARGS")]
        arguments: Vec<String>,
    },

    /// Check the house rules that no compiler checks, and print what breaks them as path:line: sentence
    Tidy,

    /// Measure the store, the ingest path and the client, and print ratios of one run against the design's budgets
    ///
    /// `cargo xtask bench client` measures the client SDK alone, beside other telemetry senders.
    ///
    /// Builds everything in release mode first. The load is encoded before a measurement and sent from this process,
    /// whose own CPU time is shown apart. A missed budget is shown, not an error: machines differ.
    Bench(bench::Options),

    /// Let libFuzzer look for bytes that make a parser panic or break its promise
    ///
    /// Installs cargo-fuzz first if it is missing. What it finds on the way is kept in target/fuzz/corpus for the next run.
    /// A crash ends it with the file that shows the crash again.
    Fuzz(fuzz::Options),

    /// Kill a server under load, again and again, and look for what was acknowledged and is lost
    Kill {
        /// How often
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
    },

    /// Attack the server: slow heads and bodies, idle connections, stuck streams, gzip bombs, a crowd; print what a normal
    /// client beside it noticed
    ///
    /// It takes some ten thousand descriptors (`ulimit -n`) and two minutes after the build.
    Abuse,

    /// Load a server with everything at once for minutes, restart it, and print what grew, leaked or was lost
    ///
    /// Entries with ever new names, retention at work, questions, streams that are fast, slow, stuck or come and go. First
    /// without a restart, for what grows; then with SIGTERM and kill -9 in turn. A promise that is broken is an error.
    Soak(soak::Options),

    /// Watch a server through its system calls, and look what a power cut at any moment would have left of its disk
    ///
    /// Rebuilds the disk at many moments, with what was synced and none, the beginning or a random half of the rest, cut
    /// within writes. Opens each with the server's store: with the default durability nothing that was answered may be
    /// missing and nothing broken. `normal` is shown beside it.
    Powercut(powercut::Options),

    /// Attack a server with whatever its description allows and forbids, and look for answers that are not described
    ///
    /// `cargo xtask test` does the same with fewer requests.
    FuzzHttp {
        /// How many requests for each route and method, beside those that are made in any case
        #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
        examples: u32,
    },

    /// Show TraceHub at work: a server, a shop of three services where things go wrong, and a guided minute of the CLI
    ///
    /// Eight customers place orders; some hang, some are slow, and one host's clock is wrong. Everything runs on free
    /// loopback ports with a temporary database, and ends with the command.
    Demo {
        /// Keep the shop open after the guided minute, until Ctrl-C, to look around in the page and with the CLI
        #[arg(long)]
        keep: bool,
    },

    /// Take the pictures of the page in docs/images: each view, light and dark, and on a small screen
    ///
    /// The story they tell is the same every time, so a picture changes when the page does.
    Screenshots,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Ci => ci::run(),
        Command::Setup => setup::run(),
        Command::Test { arguments } => test::run(&arguments),
        Command::Tidy => tidy::run(),
        Command::Bench(options) => bench::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Kill { rounds } => kill::run(rounds),
        Command::Abuse => abuse::run(),
        Command::Soak(options) => soak::run(&options),
        Command::Powercut(options) => powercut::run(&options),
        Command::FuzzHttp { examples } => fuzz_http::run(examples),
        Command::Demo { keep } => demo::run(keep),
        Command::Screenshots => screenshots::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) if err.is::<process::Interrupted>() => {
            eprintln!("interrupted");
            ExitCode::from(130)
        }
        Err(err) => {
            eprintln!("{} {err:#}", process::emphasised("error:"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
