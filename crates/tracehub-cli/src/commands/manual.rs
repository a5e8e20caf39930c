//! `completions` and `man`: what the command line says of itself, in other programs' words.

use clap::{Command, CommandFactory as _};

use crate::args::{Args, CompletionsArgs, ManArgs};
use crate::failure::Failure;
use crate::output::Screen;

pub(crate) fn completions(args: &CompletionsArgs, screen: &mut Screen) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "tracehub-cli", &mut script);
    Ok(screen.verbatim(&script)?)
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
