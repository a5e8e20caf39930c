//! `completions` and `man`: what the command line says of itself, in other programs' words.

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use crate::args::{Args, CompletionsArgs, ManArgs};
use crate::failure::Failure;
use crate::output::Screen;

/// The program's name, as it is typed.
const PROGRAM: &str = "tracehub-cli";

pub(crate) fn completions(args: &CompletionsArgs, screen: &mut Screen) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), PROGRAM, &mut script);
    if args.shell == Shell::Bash {
        script = named_alike(&script);
    }
    Ok(screen.verbatim(&script)?)
}

/// The script for bash with one name for each command. Where the program's name has a hyphen, `clap_complete` writes it in
/// one way where it finds out which command is typed and in another where it completes that command, so that after a
/// command nothing is completed.
fn named_alike(script: &[u8]) -> Vec<u8> {
    let spelt = PROGRAM.replace('-', "__subcmd__");
    String::from_utf8_lossy(script).replace(&spelt, &PROGRAM.replace('-', "__")).into_bytes()
}

pub(crate) fn man(args: &ManArgs, screen: &mut Screen) -> Result<(), Failure> {
    let mut program = Args::command();
    if let Some(folder) = &args.all {
        let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(program, folder));
        return written.map_err(|source| Failure::File { path: folder.clone(), what: "write into", source });
    }
    program.build();
    let page_of = match &args.command {
        None => program,
        Some(name) => subcommand(&program, name)?,
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(page_of).render(&mut page)?;
    Ok(screen.verbatim(&page)?)
}

fn subcommand(program: &Command, name: &str) -> Result<Command, Failure> {
    let found = program.find_subcommand(name).ok_or_else(|| Failure::UnknownCommand { name: name.to_owned() })?;
    Ok(found.clone())
}
