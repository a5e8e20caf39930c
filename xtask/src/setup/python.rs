//! The Python original in a virtual environment, for the tests that hold us to its behaviour; and what comes the same way:
//! the checks of axe, for the tests of the page, and schemathesis, which attacks the server.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::debian;
use crate::process::{job, root};

/// The packages the original needs, with exact versions.
const REQUIREMENTS: &str = "xtask/python-requirements.txt";
/// The original itself, with its hash.
const ORIGINAL: &str = "xtask/python-original.txt";
/// What attacks the server, with exact versions. It shares the environment; the versions agree.
const SCHEMATHESIS: &str = "xtask/python-schemathesis.txt";
/// The package that carries axe-core, with its hash.
const AXE: &str = "xtask/python-axe.txt";
/// Raise it when this file changes what it leaves behind, so that every machine installs again.
const REVISION: u32 = 3;
/// The oldest Python the original takes, and the two modules without which `python3 -m venv` cannot work.
const CAN_MAKE_ENVIRONMENTS: &str = "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))";

/// Installs what is missing; quick when everything is there.
pub(super) fn install() -> Result<()> {
    let environment = root().join("target/python");
    let python = environment.join("bin/python");
    let stamp = environment.join("installed.txt");
    if let Ok(installed) = fs::read_to_string(&stamp)
        && wanted(&python).is_ok_and(|wanted| wanted == installed)
    {
        eprintln!("    target/python is complete");
        return Ok(());
    }

    let system_python = system_python()?;
    eprintln!("    creating a virtual environment in target/python");
    job(system_python, ["-m", "venv", "--clear"]).args([&environment]).run()?;
    eprintln!("    installing {REQUIREMENTS} and {SCHEMATHESIS}");
    pip(&python, &["install"]).args(["--requirement", REQUIREMENTS, "--requirement", SCHEMATHESIS]).run()?;
    install_original(&python, &environment)?;
    install_axe(&python, &environment)?;
    job(&python, ["-c", "import tracehub.client, tracehub.server"])
        .output()
        .context("the installed original cannot be imported")?;
    // Last, so that a run that was cut short is repeated.
    fs::write(&stamp, wanted(&python)?).context("cannot write target/python/installed.txt")
}

/// What the stamp of a complete environment says. It names the Python as well: after an upgrade of the system's, the
/// environment is an empty shell.
fn wanted(python: &Path) -> Result<String> {
    let version = job(python, ["--version"]).output()?;
    let requirements = fs::read_to_string(root().join(REQUIREMENTS))?;
    let original = fs::read_to_string(root().join(ORIGINAL))?;
    let schemathesis = fs::read_to_string(root().join(SCHEMATHESIS))?;
    let axe = fs::read_to_string(root().join(AXE))?;
    Ok(format!("revision {REVISION}\n{version}\n{requirements}{schemathesis}{original}{axe}"))
}

/// A Python that can create virtual environments, installed now if there is none.
fn system_python() -> Result<&'static str> {
    if let Some(python) = usable_python() {
        return Ok(python);
    }
    debian::install(&["python3", "python3-venv"], "Python 3.10 or newer with its venv module")?;
    usable_python().context("python3 still cannot create virtual environments after its installation")
}

fn usable_python() -> Option<&'static str> {
    // The first of the path may be a build without the module while the system's own has it.
    ["python3", "/usr/bin/python3"]
        .into_iter()
        .find(|python| job(python, ["-c", CAN_MAKE_ENVIRONMENTS]).output().is_ok())
}

fn pip(python: &Path, arguments: &[&str]) -> crate::process::Job {
    job(python, ["-m", "pip"]).args(arguments).args(["--quiet", "--disable-pip-version-check", "--no-input"])
}

/// Unpacks the original's source archive into a package folder `tracehub` of the environment. `client.py` stays byte
/// for byte as published: it is the client we promise to serve.
fn install_original(python: &Path, environment: &Path) -> Result<()> {
    eprintln!("    installing {ORIGINAL}, with the published server.py corrected so that it starts");
    let archive = download_original(python, &environment.join("download"))?;
    let unpacked = environment.join("unpacked");
    fs::create_dir_all(&unpacked)?;
    job("tar", ["--strip-components=1", "-xzf"]).args([&archive]).args(["-C"]).args([&unpacked]).run()?;

    let package = packages(python)?.join("tracehub");
    fs::create_dir_all(&package)?;
    for name in ["__init__.py", "client.py"] {
        fs::copy(unpacked.join(name), package.join(name)).with_context(|| format!("cannot place {name}"))?;
    }
    let published = fs::read_to_string(unpacked.join("server.py")).context("the archive holds no server.py")?;
    fs::write(package.join("server.py"), corrected_server(&published)?)?;
    Ok(())
}

/// Puts `axe.min.js` at a place that does not depend on the Python. The package itself needs a browser driver of its own,
/// which we do not use, so its dependencies are left out.
fn install_axe(python: &Path, environment: &Path) -> Result<()> {
    eprintln!("    installing {AXE}");
    pip(python, &["install"]).args(["--no-deps", "--require-hashes", "--requirement", AXE]).run()?;
    let script = packages(python)?.join("axe_playwright_python/axe.min.js");
    fs::copy(&script, environment.join("axe.min.js")).with_context(|| format!("there is no {}", script.display()))?;
    Ok(())
}

/// The folder of the environment's packages.
fn packages(python: &Path) -> Result<PathBuf> {
    let print_folder = "import sysconfig; print(sysconfig.get_path('purelib'))";
    Ok(job(python, ["-c", print_folder]).output()?.into())
}

fn download_original(python: &Path, folder: &Path) -> Result<PathBuf> {
    // The source of this package only: with `:all:`, an older pip compiles the archive's build tools for a minute.
    pip(python, &["download"])
        .args(["--no-deps", "--no-binary", "tracehub", "--require-hashes", "--requirement", ORIGINAL, "--dest"])
        .args([folder])
        .run()?;
    let archives: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    match archives.as_slice() {
        [archive] => Ok(archive.clone()),
        other => bail!("pip downloaded {} files instead of one archive", other.len()),
    }
}

/// The published `server.py` does not start: `main()` uses `TRACEHUB_DB` before it says `global TRACEHUB_DB`, which
/// Python refuses. Moves that line to the top of `main()` and changes nothing else, its CRLF line ends included.
fn corrected_server(published: &str) -> Result<String> {
    let mut lines: Vec<&str> = published.split_inclusive('\n').collect();
    let position = |lines: &[&str], wanted: &str| {
        let found = lines.iter().position(|line| line.trim_end() == wanted);
        found.with_context(|| format!("server.py is not the published one: no line `{}`", wanted.trim()))
    };
    let statement = lines.remove(position(&lines, "    global TRACEHUB_DB")?);
    let function = position(&lines, "def main():")?;
    lines.insert(function + 1, statement);
    Ok(lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_correction_moves_one_line() {
        let published = "def main():\r\n    use(TRACEHUB_DB)\r\n    global TRACEHUB_DB\r\n    rest()\r\n";
        let corrected = "def main():\r\n    global TRACEHUB_DB\r\n    use(TRACEHUB_DB)\r\n    rest()\r\n";
        assert_eq!(corrected_server(published).expect("both lines are there"), corrected);
    }

    #[test]
    fn another_server_is_refused() {
        assert!(corrected_server("def main():\n    pass\n").is_err());
    }
}
