//! A pseudo terminal: what is written to it is seen at the other end.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

pub(crate) struct Pty {
    control: File,
    terminal: File,
}

impl Pty {
    pub(crate) fn open() -> Self {
        let control = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo terminal");
        grantpt(&control).and_then(|()| unlockpt(&control)).expect("it can be used");
        let name = ptsname(&control, Vec::new()).expect("it has a name");
        let name = OsStr::from_bytes(name.as_bytes());
        let terminal = OpenOptions::new().read(true).write(true).open(name).expect("its other end");
        Self { control: control.into(), terminal }
    }

    /// The same with so many columns and lines.
    pub(crate) fn sized(columns: u16, lines: u16) -> Self {
        let pty = Self::open();
        let size = Winsize { ws_col: columns, ws_row: lines, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&pty.terminal, size).expect("it takes a size");
        pty
    }

    /// A handle for a process.
    pub(crate) fn terminal(&self) -> Stdio {
        self.terminal.try_clone().expect("another handle").into()
    }

    /// Types at its keyboard.
    pub(crate) fn press(&self, keys: &str) {
        (&self.control).write_all(keys.as_bytes()).expect("somebody may read it");
    }

    /// Waits until a text is seen, and gives what was seen up to then.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        let (mut seen, mut part) = (String::new(), [0; 4096]);
        while !seen.contains(text) {
            let length = (&self.control).read(&mut part).expect("it is still written to");
            seen += &String::from_utf8_lossy(&part[..length]);
        }
        seen
    }

    /// What is written until nobody has the terminal any more.
    pub(crate) fn read(self) -> String {
        let Self { mut control, terminal } = self;
        drop(terminal);
        let (mut seen, mut part) = (Vec::new(), [0; 4096]);
        // The end of a terminal is an error, not an end.
        while let Ok(length @ 1..) = control.read(&mut part) {
            seen.extend_from_slice(&part[..length]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    }
}
