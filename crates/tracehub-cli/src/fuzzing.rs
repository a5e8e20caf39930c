//! What the targets in `fuzz/` reach of this crate: the parser of the config file. Built with the feature `fuzzing` alone,
//! and no part of the API.

use std::path::Path;

use crate::failure::Failure;
use crate::settings::ConfigFile;

/// Reads the text of a config file.
///
/// # Errors
/// The line, if one is to blame, and what is wrong with it.
pub fn config_file(text: &str) -> Result<(), (Option<usize>, String)> {
    match ConfigFile::parse(text, Path::new("config.toml")) {
        Ok(_) => Ok(()),
        Err(Failure::ConfigFile { line, reason, .. }) => Err((line, reason)),
        Err(other) => Err((None, other.to_string())),
    }
}
