//! `serve`: the server that was installed with this program takes its place.

use std::io;
use std::path::PathBuf;
use std::process::Command;

use crate::args::ServeArgs;
use crate::failure::Failure;

/// The server's program.
const PROGRAM: &str = "tracehub-server";

/// Starts the server. Comes back only if that failed, or where a program cannot take another's place when it ended.
pub(crate) fn run(args: &ServeArgs) -> Result<(), Failure> {
    let mut command = Command::new(beside().unwrap_or_else(|| PROGRAM.into()));
    command.args(&args.arguments);
    start(&mut command)
}

/// The server's program in the folder of this one. Without it the system looks on the PATH.
fn beside() -> Option<PathBuf> {
    let this = std::env::current_exe().ok()?;
    let program = this.with_file_name(PROGRAM).with_extension(std::env::consts::EXE_EXTENSION);
    program.is_file().then_some(program)
}

#[cfg(unix)]
fn start(command: &mut Command) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt as _;
    let err = command.exec();
    Err(failure(command, err))
}

#[cfg(not(unix))]
fn start(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|err| failure(command, err))?;
    std::process::exit(status.code().unwrap_or(1))
}

fn failure(command: &Command, err: io::Error) -> Failure {
    if err.kind() == io::ErrorKind::NotFound {
        return Failure::NoServerProgram;
    }
    Failure::ServerProgram { program: command.get_program().into(), source: err }
}
