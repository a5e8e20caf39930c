//! Settings: the CLI's config file, the server's command line and its secrets. A bad one is named and never repeated if it
//! is a secret; a good one means what it says.

use std::net::IpAddr;

use clap::Parser as _;
use tracehub_cli::fuzzing::config_file;
use tracehub_server::access::Secrets;
use tracehub_server::args::Args;
use tracehub_server::config::{ConfigError, resolve};

/// The keys of the config file that are texts.
const TEXTS: [&str; 5] = ["url", "secret", "secret_file", "output", "color"];

/// Checks any text as each of them; on the command line, each line is an argument.
///
/// # Panics
/// Something does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    check_file(text);
    check_secrets(text);
    check_arguments(text);
}

fn check_file(text: &str) {
    let outcome = config_file(text);
    let is_meant = text.parse::<toml::Table>().is_ok_and(|table| {
        let has_both = ["secret", "secret_file"].iter().all(|key| table.contains_key(*key));
        !has_both
            && table.iter().all(|(key, value)| match key.as_str() {
                "utc" => value.is_bool(),
                key => TEXTS.contains(&key) && value.is_str(),
            })
    });
    assert_eq!(outcome.is_ok(), is_meant, "{outcome:?}");
    if let Err((line, reason)) = outcome {
        assert!(!reason.is_empty());
        assert!(line.is_none_or(|line| line >= 1 && line <= text.split('\n').count()), "{line:?}: {reason}");
    }
}

fn check_secrets(text: &str) {
    let values = || text.split([',', ' ', '\n']).filter(|value| !value.is_empty());
    match Secrets::parse(text) {
        Ok(secrets) => {
            assert!(!secrets.accept("") && !secrets.accept(&format!("{text}.")));
            assert!(!values().any(|value| value.len() > 16 && format!("{secrets:?}").contains(value)));
            let accepted = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|value| !value.is_empty());
            assert!(accepted.inspect(|value| assert!(value.len() >= 8)).all(|value| secrets.accept(value)));
        }
        Err(err) => assert!(!values().any(|value| value.len() >= 8 && err.to_string().contains(value))),
    }
}

fn check_arguments(text: &str) {
    let arguments = ["tracehub-server"].into_iter().chain(text.lines());
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(err) => {
            assert!(!err.to_string().is_empty());
            return;
        }
    };
    // Names would be asked for in the network, and files may be any.
    let is_address = args.host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    let files = [&args.secret_file, &args.read_secret_file, &args.tls_cert, &args.tls_key];
    if !is_address || files.iter().any(|file| file.is_some()) {
        return;
    }
    match resolve(&args) {
        Ok((address, config)) => {
            assert!(address.ip().is_loopback() || config.access.secret.is_some() || args.insecure_no_auth);
            assert_eq!(config.retention_hours(), args.retention_hours);
            assert!(config.access.cors_origins.iter().all(|origin| !origin.contains('*')));
        }
        Err(ConfigError::Secret { setting, source }) => {
            let message = ConfigError::Secret { setting, source }.to_string();
            let secrets = [args.secret, args.read_secret].into_iter().flatten();
            // Shorter ones are words of the message by chance.
            assert!(!secrets.filter(|secret| secret.0.len() > 40).any(|secret| message.contains(&secret.0)));
        }
        Err(err) => assert!(!err.to_string().is_empty()),
    }
}
