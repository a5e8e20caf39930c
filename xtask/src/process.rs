//! Starting other programs: ones to wait for (cargo, pip) and ones that serve until they are told to end.

use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader, IsTerminal, Read, stderr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// What a program prints, followed by its address, once it answers there.
const LISTENING: &str = "listening on http://";
/// How long a program may take to listen: it opens a database at most.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// How long a program may take to end: more than any of ours grants its open connections.
const END_DEADLINE: Duration = Duration::from_secs(15);
/// How often a wait looks whether it is over.
const STEP: Duration = Duration::from_millis(20);

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// `text`, bold where a person reads it.
pub(crate) fn emphasised(text: &str) -> String {
    if stderr().is_terminal() { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Runs one stage between a header and the time it took; an error names it.
pub(crate) fn stage(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    eprintln!("{}", emphasised(&format!("==> {name}")));
    let start = Instant::now();
    work().with_context(|| format!("the stage `{name}` failed"))?;
    eprintln!("    {name}: {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// A command that is run to its end, in the folder of the workspace.
#[derive(Debug)]
pub(crate) struct Job(Command);

/// A cargo command. The cargo that started us is used, so that one toolchain does everything.
pub(crate) fn cargo<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Job {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    job(program, arguments)
}

/// Any other command.
pub(crate) fn job<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: I) -> Job {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    Job(command)
}

impl Job {
    /// Adds arguments.
    pub(crate) fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, arguments: I) -> Self {
        self.0.args(arguments);
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs it with our own output; a status other than success is an error.
    pub(crate) fn run(mut self) -> Result<()> {
        let status = self.0.status().with_context(|| format!("{self} did not start"))?;
        if !status.success() {
            bail!("{self} ended with {status}");
        }
        Ok(())
    }

    /// Runs it and returns what it printed; a status other than success is an error that shows its complaint.
    pub(crate) fn output(self) -> Result<String> {
        let name = self.to_string();
        let output = self.output_unchecked()?;
        if !output.status.success() {
            bail!("{name} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Runs it and returns everything, whatever its status.
    pub(crate) fn output_unchecked(mut self) -> Result<Output> {
        self.0.stdin(Stdio::null()).output().with_context(|| format!("{self} did not start"))
    }
}

impl fmt::Display for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = Path::new(self.0.get_program());
        write!(formatter, "`{}", program.file_name().unwrap_or(program.as_os_str()).to_string_lossy())?;
        for argument in self.0.get_args() {
            write!(formatter, " {}", argument.to_string_lossy())?;
        }
        formatter.write_str("`")
    }
}

/// The error of work given up because the person asked for it: Ctrl-C, SIGTERM, or the terminal closed.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Turns the signals that ask us to end into a question that work asks between its steps.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From here on the signals do not end the process.
    pub(crate) fn listen() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&asked)).context("cannot listen for signals")?;
        }
        Ok(Self(asked))
    }

    /// An error if we were asked to end.
    pub(crate) fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(Interrupted.into()) } else { Ok(()) }
    }

    /// Waits so long, or until we are asked to end.
    pub(crate) fn wait(&self, duration: Duration) -> Result<()> {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            self.check()?;
            thread::sleep(STEP);
        }
        Ok(())
    }
}

/// A program that serves in the background. Dropped, it is ended and waited for, whatever the reason of the drop.
#[derive(Debug)]
pub(crate) struct Service {
    name: String,
    address: String,
    child: Child,
}

impl Service {
    /// Starts `program` with exactly these `TRACEHUB_*` variables and waits until it says where it listens.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(root()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        set_environment(&mut command, environment);
        // A group of its own: Ctrl-C at the terminal reaches only us, and we end the programs in their order.
        command.process_group(0);
        let mut child = command.spawn().with_context(|| format!("{name} did not start"))?;

        let (sender, lines) = channel();
        forward_lines(child.stdout.take(), sender.clone());
        forward_lines(child.stderr.take(), sender);
        let mut service = Self { name, address: String::new(), child };
        service.address = service.wait_for_address(&lines, interrupt)?;
        Ok(service)
    }

    /// Its process id.
    #[cfg(any(feature = "bench", feature = "powercut"))]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens, as `127.0.0.1:1234`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    fn wait_for_address(&self, lines: &Receiver<String>, interrupt: &Interrupt) -> Result<String> {
        let deadline = Instant::now() + START_DEADLINE;
        let mut said = Vec::new();
        loop {
            interrupt.check()?;
            match lines.recv_timeout(STEP) {
                Ok(line) => match address_in(&line) {
                    Some(address) => return Ok(address),
                    None => said.push(line),
                },
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
                Err(RecvTimeoutError::Timeout) => {
                    bail!("{} did not say `{LISTENING}…` in {START_DEADLINE:?}; it said: {said:#?}", self.name)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{} ended before it listened; it said: {said:#?}", self.name)
                }
            }
        }
    }

    /// Asks it to end and waits. An error if it had to be killed or ended with a failure.
    pub(crate) fn end(mut self) -> Result<()> {
        self.terminate()
    }

    /// Ends it as a crash does: it gets no chance to finish anything.
    #[cfg(any(feature = "bench", feature = "powercut"))]
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop).with_context(|| format!("{} cannot be waited for", self.name))
    }

    fn terminate(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            // The standard library can only kill. The shell's own `kill` is on every machine, procps is not.
            let process = self.child.id().to_string();
            job("sh", ["-c", "kill -TERM \"$1\"", "sh", &process]).output_unchecked()?;
        }
        let deadline = Instant::now() + END_DEADLINE;
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("{} ended with {status}", self.name),
                None if Instant::now() < deadline => thread::sleep(STEP),
                None => {
                    self.child.kill()?;
                    self.child.wait()?;
                    bail!("{} did not end in {END_DEADLINE:?} and was killed", self.name);
                }
            }
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // After `end` there is nothing left to end; on the way out of an error, that error is the one to report.
        let _ = self.terminate();
    }
}

/// Gives `command` our environment with these `TRACEHUB_*` variables and no others.
pub(crate) fn set_environment(command: &mut Command, environment: &[(&str, &str)]) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TRACEHUB_") {
            command.env_remove(name);
        }
    }
    command.envs(environment.iter().copied());
}

/// Sends the lines of `stream` until it closes. Reading goes on when nobody listens, or the program would block.
fn forward_lines(stream: Option<impl Read + Send + 'static>, sender: Sender<String>) {
    let Some(stream) = stream else { return };
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
        }
    });
}

fn address_in(line: &str) -> Option<String> {
    let (_, rest) = line.split_once(LISTENING)?;
    let end = rest.find(|next: char| !(next.is_ascii_alphanumeric() || ".:[]-".contains(next))).unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}

/// The dev build of one of our programs.
pub(crate) fn built_program(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    root().join(target).join("debug").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> Interrupt {
        Interrupt(Arc::new(AtomicBool::new(false)))
    }

    fn shell(script: &str, interrupt: &Interrupt) -> Result<Service> {
        Service::start(Path::new("/bin/sh"), &["-c", script], &[], interrupt)
    }

    #[test]
    fn an_address_is_found_in_a_log_line() {
        let line = "2026-01-01T00:00:00Z  INFO listening on http://127.0.0.1:8099 durability=full";
        assert_eq!(address_in(line).as_deref(), Some("127.0.0.1:8099"));
        assert_eq!(address_in("listening on http://[::1]:80\u{1b}[0m").as_deref(), Some("[::1]:80"));
        assert_eq!(address_in("listening soon"), None);
    }

    #[test]
    fn a_service_starts_says_where_and_ends_when_asked() {
        let script =
            "trap 'exit 0' TERM; echo one; echo listening on http://127.0.0.1:7 >&2; while :; do sleep 0.1; done";
        let service = shell(script, &quiet()).expect("the shell starts");
        assert_eq!(service.address(), "127.0.0.1:7");
        service.end().expect("the trap ends it with success");
    }

    #[test]
    fn a_service_that_ends_early_is_reported_with_its_words() {
        let err = shell("echo port is taken >&2; exit 1", &quiet()).expect_err("it never listens");
        assert!(err.to_string().contains("port is taken"), "{err}");
    }

    #[test]
    fn an_interrupt_ends_the_wait_for_a_service() {
        let interrupt = quiet();
        interrupt.0.store(true, Ordering::Relaxed);
        let err = shell("sleep 60", &interrupt).expect_err("we were asked to end");
        assert!(err.is::<Interrupted>());
    }

    #[test]
    fn a_failure_is_reported_with_the_command() {
        let err = job("sh", ["-c", "exit 3"]).run().expect_err("the shell fails");
        assert!(err.to_string().contains("`sh -c exit 3` ended with exit status: 3"), "{err}");
    }
}
