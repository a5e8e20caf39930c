//! From the words typed to [`Args`]: what follows `serve` is the server's, and who said what is kept.

use std::ffi::OsString;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};

use super::Args;

/// What was typed, and what of it was typed at all.
pub(crate) struct Typed {
    pub(crate) args: Args,
    pub(crate) matches: ArgMatches,
}

/// Parses the command line and the environment; explains and ends the process if they make no sense.
pub(crate) fn parse() -> Typed {
    let matches = Args::command().get_matches_from(with_serve_set_apart(std::env::args_os().collect()));
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|err| err.format(&mut Args::command()).exit());
    Typed { args, matches }
}

/// Puts `--` after `serve`, so that flags which both programs have are the server's there.
fn with_serve_set_apart(mut words: Vec<OsString>) -> Vec<OsString> {
    if let Some(place) = command_place(&words)
        && words.get(place).is_some_and(|word| word == "serve")
    {
        words.insert(place + 1, "--".into());
    }
    words
}

/// Where the command stands: the first word that is neither a flag nor a flag's value.
fn command_place(words: &[OsString]) -> Option<usize> {
    let program = Args::command();
    let takes_value = |word: &str| {
        program.get_arguments().any(|arg| {
            let named = match word.strip_prefix("--") {
                Some(long) => arg.get_long() == Some(long),
                // Of several letters in one word, the last may want the next word.
                None => arg.get_short().is_some_and(|short| word.ends_with(short) && word.chars().count() == 2),
            };
            named && arg.get_action().takes_values()
        })
    };
    let mut place = 1;
    while let Some(word) = words.get(place) {
        let word = word.to_string_lossy();
        if !word.starts_with('-') {
            return Some(place);
        }
        place += if takes_value(&word) { 2 } else { 1 };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Command;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(Into::into).collect()
    }

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_follows_serve_is_the_servers() {
        for (typed, expected) in [
            ("t serve", 0),
            ("t serve --db x --secret s -o json", 6),
            ("t --url http://h -o json serve --help", 1),
            ("t --color=never serve --version", 1),
            ("t serve -- x", 2),
        ] {
            let matches = Args::command().try_get_matches_from(with_serve_set_apart(words(typed))).unwrap();
            let args = Args::from_arg_matches(&matches).unwrap();
            assert!(matches!(args.command, Command::Serve(serve) if serve.arguments.len() == expected), "{typed}");
        }
    }

    #[test]
    fn other_words_that_say_serve_stay_as_they_are() {
        for typed in ["t --secret serve health", "t show serve", "t help serve", "t"] {
            assert_eq!(with_serve_set_apart(words(typed)), words(typed));
        }
    }
}
