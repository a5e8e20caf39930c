//! The driver's process, and the shell that ends it with us.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::error::DriveError;

/// Tests end in many ways, and statics are never dropped. So a shell watches its standard input, which closes when this
/// process is gone, however it went; then it ends the driver and the browser, which are a
/// group of processes, and deletes what they wrote.
const GUARDIAN: &str = r#"
setsid "$2" --port=0 --log-level=SEVERE 2>/dev/null </dev/null &
driver=$!
# What the driver says ends with the driver.
exec >/dev/null
read -r _
kill -KILL "-$driver"
wait "$driver"
# Those of the group that are not our children may still be on their way out, and have files open.
for pause in 1 2 3 4 5 6 7 8 9 10; do
    kill -0 "-$driver" 2>/dev/null || break
    sleep 0.05
done
rm -rf -- "$1"
"#;

/// The driver, wherever it is installed.
const PROGRAM: &str = "chromedriver";

/// A running chromedriver. Dropped, it is ended and waited for, with the browsers that it has started.
#[derive(Debug)]
pub(crate) struct Driver {
    guardian: Child,
    #[cfg(test)]
    pub(crate) folder: std::path::PathBuf,
    pub(crate) address: String,
}

impl Driver {
    /// Starts it on a free port. `folder` is deleted at its end.
    pub(crate) fn start(folder: &Path) -> Result<Self, DriveError> {
        Self::start_program(folder, PROGRAM)
    }

    fn start_program(folder: &Path, program: &str) -> Result<Self, DriveError> {
        let mut guardian = Command::new("/bin/sh")
            .args(["-c", GUARDIAN, "sh"])
            .arg(folder)
            .arg(program)
            .env("TMPDIR", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(DriveError::Start)?;
        let output = guardian.stdout.take();
        let mut driver = Self {
            guardian,
            #[cfg(test)]
            folder: folder.to_owned(),
            address: String::new(),
        };
        let mut said = String::new();
        let lines = output.into_iter().flat_map(|output| BufReader::new(output).lines()).map_while(Result::ok);
        for line in lines {
            if let Some(port) = line.split_once("successfully on port ").map(|(_, rest)| rest.trim_end_matches('.')) {
                driver.address = format!("127.0.0.1:{port}");
                return Ok(driver);
            }
            said.push_str(&line);
            said.push('\n');
        }
        Err(DriveError::Silent(said))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The end of its standard input is the guardian's sign.
        drop(self.guardian.stdin.take());
        let _ = self.guardian.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_is_not_installed_is_said_at_once() {
        let folder = tempfile::tempdir().unwrap().keep();
        let err = Driver::start_program(&folder, "no-such-driver").unwrap_err();
        assert!(matches!(&err, DriveError::Silent(said) if said.is_empty()), "{err}");
        assert!(err.to_string().contains("cargo xtask setup"), "{err}");
        assert!(!folder.exists());
    }
}
