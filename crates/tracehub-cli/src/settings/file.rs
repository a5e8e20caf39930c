//! The config file: TOML, each key known, secrets kept from others.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::Failure;
use crate::output;

/// The file's keys, as written there.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigFile {
    pub(crate) url: Option<String>,
    secret: Option<String>,
    secret_file: Option<PathBuf>,
    tls_ca: Option<PathBuf>,
    pub(crate) output: Option<String>,
    pub(crate) color: Option<String>,
    pub(crate) utc: Option<bool>,
    pub(crate) request_timeout: Option<u64>,
    pub(crate) pager: Option<String>,
    #[serde(skip)]
    path: PathBuf,
}

impl ConfigFile {
    /// Reads a file; none if there is no such file.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(err) => return Err(failure(path, None, err.to_string())),
        };
        let file = Self::parse(&text, path)?;
        if file.secret.is_some() {
            warn_if_others_read(path);
        }
        Ok(Some(file))
    }

    /// What the text of the file at `path` says.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, Failure> {
        let mut file: Self = toml::from_str(text).map_err(|err| {
            let line = err.span().map(|span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1);
            failure(path, line, err.message().to_owned())
        })?;
        path.clone_into(&mut file.path);
        if file.secret.is_some() && file.secret_file.is_some() {
            return Err(file.wrong("secret and secret_file cannot both be given"));
        }
        Ok(file)
    }

    /// The file with the authorities; a relative name begins at the config file's folder.
    pub(crate) fn tls_ca(&self) -> Option<PathBuf> {
        self.tls_ca.as_ref().map(|name| self.beside(name))
    }

    /// The secret, from here or from the file that is named here; a relative name begins at the config file's folder.
    pub(crate) fn secret(&self) -> Result<Option<String>, Failure> {
        let Some(name) = &self.secret_file else { return Ok(self.secret.clone()) };
        let path = self.beside(name);
        let text = std::fs::read_to_string(&path)
            .map_err(|err| self.wrong(&format!("secret_file {} cannot be read: {err}", path.display())))?;
        warn_if_others_read(&path);
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    fn beside(&self, name: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(name)
    }

    /// An error of this file.
    pub(crate) fn wrong(&self, reason: &str) -> Failure {
        failure(&self.path, None, reason.to_owned())
    }
}

fn failure(path: &Path, line: Option<usize>, reason: String) -> Failure {
    Failure::ConfigFile { path: path.to_owned(), line, reason }
}

fn warn_if_others_read(path: &Path) {
    if std::fs::metadata(path).is_ok_and(|metadata| others_read(&metadata)) {
        output::warn(&format!(
            "{} holds a secret and others can read it; `chmod 600` keeps it to yourself",
            path.display()
        ));
    }
}

#[cfg(unix)]
fn others_read(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o044 != 0
}

#[cfg(not(unix))]
fn others_read(_: &Metadata) -> bool {
    false
}
