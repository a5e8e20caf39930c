//! What the supervisor that started us is told, in the protocol of systemd: that we are ready, alive, about to stop. Without
//! a supervisor nobody is told and nothing is done.

use std::ffi::OsStr;
use std::io;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The way to the supervisor.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<(UnixDatagram, SocketAddr)>,
    patience: Option<Duration>,
}

impl Supervisor {
    /// The supervisor that listens at `socket`: a path, or a name that begins with `@`. It expects a sign of life within
    /// `patience`, if at all.
    ///
    /// # Errors
    /// There can be no such socket.
    pub fn at(socket: &OsStr, patience: Option<Duration>) -> io::Result<Self> {
        let address = match socket.as_bytes().split_first() {
            #[cfg(target_os = "linux")]
            Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
            Some((b'/', _)) => SocketAddr::from_pathname(socket)?,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor a name after @")),
        };
        let own = UnixDatagram::unbound()?;
        // A supervisor that does not fetch what it is told must not hold us up.
        own.set_nonblocking(true)?;
        Ok(Self { socket: Some((own, address)), patience })
    }

    /// How long the supervisor waits for a sign of life; for ever when it does not say.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.patience
    }

    /// Requests are answered from now on.
    pub(crate) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// The start takes longer, and why.
    pub(crate) fn still_starting(&self, status: &str, more: Duration) {
        self.tell(&format!("EXTEND_TIMEOUT_USEC={}\nSTATUS={}", more.as_micros(), one_line(status)));
    }

    /// We are alive.
    pub(crate) fn alive(&self) {
        if self.patience.is_some() {
            self.tell("WATCHDOG=1");
        }
    }

    /// The end has begun.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=finishing what was accepted");
    }

    fn tell(&self, message: &str) {
        let Some((own, address)) = &self.socket else { return };
        if let Err(err) = own.send_to_addr(message.as_bytes(), address) {
            tracing::warn!(error = %err, "the supervisor could not be told");
        }
    }
}

/// A line of the protocol ends where the text has a line break.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut message = [0; 512];
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    }

    #[test]
    fn a_supervisor_is_told_at_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let supervisor = Supervisor::at(path.as_os_str(), None).unwrap();
        supervisor.ready("a\nb");
        assert_eq!(received(&socket), "READY=1\nSTATUS=a b");
        supervisor.alive();
        supervisor.still_starting("c", Duration::from_secs(2));
        assert_eq!(received(&socket), "EXTEND_TIMEOUT_USEC=2000000\nSTATUS=c", "no watchdog, no sign of life");
        drop(socket);
        supervisor.stopping();
        Supervisor::default().ready("nobody listens");
        assert!(Supervisor::at(OsStr::new("notify"), None).is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_supervisor_is_told_at_a_name() {
        let name = format!("tracehub-notify-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let supervisor = Supervisor::at(OsStr::new(&format!("@{name}")), Some(Duration::from_secs(9))).unwrap();
        supervisor.alive();
        assert_eq!(received(&socket), "WATCHDOG=1");
        assert_eq!(supervisor.patience(), Some(Duration::from_secs(9)));
    }
}
