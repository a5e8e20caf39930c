//! The settings as meant: flag before environment before config file before default, and which of them it was.

mod file;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, ValueEnum};
use tracehub_client::TraceHubQueryClient;

pub(crate) use self::file::ConfigFile;
use crate::args::{Args, ConnectionArgs, REQUEST_TIMEOUTS, Typed};
use crate::failure::Failure;
use crate::output::{Pager, Setting};

/// Shows colours, ends by itself where everything fits, and leaves on the screen what it showed.
const USUAL_PAGER: &str = "less -FRX";

/// What every command that asks a server needs.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) client: TraceHubQueryClient,
}

impl Settings {
    /// Checks the address and makes the client. Nothing is sent yet.
    pub(crate) fn resolve(args: &ConnectionArgs) -> Result<Self, Failure> {
        let client = TraceHubQueryClient::new(&args.url)?
            .with_timeout(Duration::from_secs(args.request_timeout))
            .with_secret(args.secret.clone().unwrap_or_default());
        let client = match &args.tls_ca {
            Some(file) => client.with_tls_ca(file)?,
            None => client,
        };
        Ok(Self { client })
    }
}

/// The settings that a config file may hold, and where each came from.
#[derive(Debug)]
pub(crate) struct Config {
    /// The file that is looked for, if there is a place for one.
    pub(crate) path: Option<PathBuf>,
    /// Whether it is there.
    pub(crate) found: bool,
    pub(crate) settings: Vec<Setting>,
    /// What shows long output, unless none is wanted.
    pub(crate) pager: Option<Pager>,
}

impl Config {
    /// Completes what was typed by what the config file says.
    pub(crate) fn complete(typed: &mut Typed) -> Result<Self, Failure> {
        let Typed { args, matches } = typed;
        let path = args.connection.config.clone().or_else(usual_path);
        let file = match &path {
            Some(path) => ConfigFile::read(path)?,
            None => None,
        };
        if let (None, Some(asked)) = (&file, &args.connection.config) {
            let reason = "there is no such file".to_owned();
            return Err(Failure::ConfigFile { path: asked.clone(), line: None, reason });
        }
        let found = file.is_some();
        let file = file.unwrap_or_default();
        let mut settings = merge(args, matches, &file)?;
        let (command, from) = pager(args, &file);
        let pager = command.as_deref().and_then(|command| Pager::new(command, std::env::var_os("LESS").is_none()));
        settings.push(Setting { key: "pager", value: command, from });
        Ok(Self { path, found, settings, pager })
    }
}

fn merge(args: &mut Args, matches: &ArgMatches, file: &ConfigFile) -> Result<Vec<Setting>, Failure> {
    let (connection, shown) = (&mut args.connection, &mut args.output);
    let origin = |key: &'static str| match matches.value_source(key) {
        Some(ValueSource::CommandLine) => Some("flag"),
        Some(ValueSource::EnvVariable) => Some("environment"),
        _ => None,
    };
    let mut settings = Vec::new();
    let mut keep = |key, value: Option<String>, said: Option<&'static str>, in_file: bool| {
        let from = said.unwrap_or(if in_file { "file" } else { "default" });
        settings.push(Setting { key, value, from });
    };

    let said = origin("url");
    if let (None, Some(url)) = (said, &file.url) {
        connection.url.clone_from(url);
    }
    keep("url", Some(connection.url.clone()), said, file.url.is_some());

    let said = origin("secret");
    if said.is_none() {
        connection.secret = file.secret()?;
    }
    let in_file = said.is_none() && connection.secret.is_some();
    // Its length is nobody's business either.
    keep("secret", connection.secret.as_ref().map(|_| "********".to_owned()), said, in_file);

    // An empty variable is none.
    connection.tls_ca = connection.tls_ca.take().filter(|file| !file.is_empty());
    let said = origin("tls_ca").filter(|_| connection.tls_ca.is_some());
    let in_file = file.tls_ca().filter(|_| said.is_none());
    let is_in_file = in_file.is_some();
    connection.tls_ca = connection.tls_ca.take().or(in_file.map(PathBuf::into_os_string));
    keep("tls_ca", connection.tls_ca.as_ref().map(|file| file.to_string_lossy().into_owned()), said, is_in_file);

    let said = origin("output");
    if let (None, Some(text)) = (said, &file.output) {
        shown.output = choice(file, "output", text)?;
    }
    keep("output", name(&shown.output), said, file.output.is_some());

    let said = origin("color");
    if let (None, Some(text)) = (said, &file.color) {
        shown.color = choice(file, "color", text)?;
    }
    keep("color", name(&shown.color), said, file.color.is_some());

    let said = origin("utc").or_else(|| origin("local").filter(|_| shown.local));
    if let (None, Some(utc)) = (said, file.utc) {
        shown.utc = utc;
    }
    keep("utc", Some(shown.utc.to_string()), said, file.utc.is_some());

    let said = origin("request_timeout");
    if let (None, Some(seconds)) = (said, file.request_timeout) {
        if !REQUEST_TIMEOUTS.contains(&seconds) {
            return Err(file.wrong(&format!("request_timeout is {seconds} and must be from 1 to 3600 seconds")));
        }
        connection.request_timeout = seconds;
    }
    keep("request_timeout", Some(connection.request_timeout.to_string()), said, file.request_timeout.is_some());
    Ok(settings)
}

/// One of the words that the flag of the same name takes.
fn choice<T: ValueEnum>(file: &ConfigFile, key: &str, text: &str) -> Result<T, Failure> {
    T::from_str(text, false).map_err(|_| {
        let words: Vec<String> = T::value_variants().iter().filter_map(name).collect();
        file.wrong(&format!("{key} is {text:?} and must be one of {}", words.join(", ")))
    })
}

fn name<T: ValueEnum>(value: &T) -> Option<String> {
    Some(value.to_possible_value()?.get_name().to_owned())
}

/// Where config files are kept: `$XDG_CONFIG_HOME`, or `.config` at home.
fn usual_path() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let configs = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?;
    Some(configs.join(Path::new("tracehub/config.toml")))
}

/// The program that shows long output, unless none is wanted, and who said so. What is set for this program alone goes
/// before its file, that before what is set for every program.
fn pager(args: &Args, file: &ConfigFile) -> (Option<String>, &'static str) {
    if args.output.no_pager {
        return (None, "flag");
    }
    let said = |name: &str| std::env::var_os(name).map(|command| command.to_string_lossy().into_owned());
    if let Some(command) = said("TRACEHUB_PAGER") {
        return (Some(command), "environment");
    }
    if file.pager.is_some() {
        return (file.pager.clone(), "file");
    }
    match said("PAGER") {
        Some(command) => (Some(command), "environment"),
        None => (Some(USUAL_PAGER.to_owned()), "default"),
    }
}

/// Whether a terminal moves its cursor when told.
pub(crate) fn terminal_moves() -> bool {
    std::env::var_os("TERM").is_none_or(|kind| kind != "dumb")
}
