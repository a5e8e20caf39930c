//! What strace wrote, as calls: what was written, synced, made, deleted, and answered, in order.

use std::collections::HashMap;
use std::io::BufRead;

use anyhow::{Context as _, Result, bail, ensure};

/// The calls that strace is asked for: all that changes what a disk holds, or tells a client.
pub(super) const TRACED: &str = "trace=openat,creat,write,writev,pwrite64,pwritev,fsync,fdatasync,sync_file_range,\
    ftruncate,fallocate,unlink,unlinkat,rename,renameat,renameat2,link,linkat,sendto,sendmsg";

/// A call with its effect. Names are those of files in the database's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    Create {
        name: String,
    },
    Write {
        name: String,
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        name: String,
        length: usize,
    },
    Unlink {
        name: String,
    },
    /// A file, or the folder if it has no name, is on the disk as it was when the call began, after so many other calls.
    Sync {
        name: String,
        begun: usize,
    },
    /// An answer of success goes to the client on a port.
    Answer {
        port: u16,
    },
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It is not back yet, or never will be.
    Open,
    Failed,
    Done,
}

/// A call that is not back yet.
#[derive(Debug)]
struct Open {
    text: String,
    begun: usize,
}

/// Reads the log of one process and adds its calls to `calls`.
///
/// Calls of several threads overlap. A write counts from its beginning, a sync from its end and for what had begun before
/// it: whatever the system did in between, this is the worst of it.
pub(super) fn read(log: impl BufRead, folder: &str, calls: &mut Vec<Call>) -> Result<()> {
    let mut open: HashMap<String, Open> = HashMap::new();
    for line in log.lines() {
        let line = line.context("the log of strace cannot be read")?;
        let Some((process, text)) = line.split_once(' ') else { continue };
        let text = text.trim_start();
        // The last is a call that a kill has cut off: nobody knows how it ended.
        let cut_off = text.strip_suffix(" <unfinished ...>").or_else(|| text.strip_suffix(" = ?"));
        if let Some(text) = cut_off.filter(|text| !text.starts_with("<... ")) {
            let begun = calls.len();
            if let Some(call) = effect(text, Outcome::Open, begun, folder)? {
                calls.push(call);
            }
            open.insert(process.to_owned(), Open { text: text.to_owned(), begun });
        } else if let Some(end) = text.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            let Some(Open { text, begun }) = open.remove(process).filter(|_| !end.1.ends_with(" = ?")) else {
                continue;
            };
            calls.extend(effect(&text, outcome(end.1)?, begun, folder)?.filter(|call| !begins(call)));
        } else if text.ends_with(|last: char| last != '+' && last != '-') && text.contains('(') {
            calls.extend(effect(text, outcome(text)?, calls.len(), folder)?);
        }
    }
    Ok(())
}

/// Whether a call counts from its beginning.
fn begins(call: &Call) -> bool {
    matches!(call, Call::Write { .. } | Call::Truncate { .. } | Call::Answer { .. })
}

/// What became of a call that is back.
fn outcome(text: &str) -> Result<Outcome> {
    let (_, result) = text.rsplit_once(" = ").with_context(|| format!("a call without a result: {}", short(text)))?;
    Ok(if result.starts_with('-') { Outcome::Failed } else { Outcome::Done })
}

/// The effect of a call within the folder, if it has one. One that is not back yet has it only if it counts from its
/// beginning.
fn effect(text: &str, outcome: Outcome, begun: usize, folder: &str) -> Result<Option<Call>> {
    let Some((call, arguments)) = text.split_once('(') else { return Ok(None) };
    if matches!(call, "sendto" | "sendmsg" | "writev" | "write") && arguments.contains("<TCP:[") {
        return Ok(answer(arguments));
    }
    let Some(name) = (match call {
        "openat" | "unlink" => quoted(arguments).and_then(|path| in_folder(&path, folder)),
        _ => descriptor(arguments).and_then(|path| in_folder(&path, folder)),
    }) else {
        return Ok(None);
    };
    // The lock means nothing after a power cut, and the index of the log is made again by whoever opens it first.
    if ["tracehub.db.lock", "tracehub.db-shm"].contains(&name.as_str()) {
        return Ok(None);
    }
    if outcome == Outcome::Failed {
        // To look for a file that is not there is no fault.
        ensure!(call == "openat", "a call failed, which no disk was asked to do: {}", short(text));
        return Ok(None);
    }
    let finished = outcome == Outcome::Done;
    let number = |place: usize| -> Result<usize> {
        let mut numbers = arguments.split(", ").skip(place);
        let text = numbers.next().unwrap_or_default();
        let text = text.split([')', ' ']).next().unwrap_or_default();
        text.parse().with_context(|| format!("no number where one should be: {}", short(arguments)))
    };
    Ok(match call {
        "pwrite64" => {
            let bytes = quoted(arguments).context("a write without its bytes")?;
            ensure!(bytes.len() == number(2)?, "strace has cut a write short: {}", short(arguments));
            Some(Call::Write { name, offset: number(3)?, bytes })
        }
        "ftruncate" => Some(Call::Truncate { name, length: number(1)? }),
        "fsync" | "fdatasync" => finished.then_some(Call::Sync { name, begun }),
        "openat" => (finished && arguments.contains("O_CREAT")).then_some(Call::Create { name }),
        "unlink" => finished.then_some(Call::Unlink { name }),
        // Better to learn of it than to play back half of what happened.
        other => bail!("the server uses {other} on {name}, which this does not know"),
    })
}

fn answer(arguments: &str) -> Option<Call> {
    let (_, peer) = arguments.split_once("->")?;
    let (peer, _) = peer.split_once(']')?;
    let port = peer.rsplit_once(':')?.1.parse().ok()?;
    quoted(arguments)?.starts_with(b"HTTP/1.1 200").then_some(Call::Answer { port })
}

/// The name of a path within the folder; empty for the folder itself.
fn in_folder(path: &[u8], folder: &str) -> Option<String> {
    let name = std::str::from_utf8(path).ok()?.strip_prefix(folder)?;
    match name.strip_prefix('/') {
        Some(name) => Some(name.to_owned()),
        None => name.is_empty().then(String::new),
    }
}

/// The path of the descriptor that is the first argument.
fn descriptor(arguments: &str) -> Option<Vec<u8>> {
    let (_, rest) = arguments.split_once('<')?;
    bytes(rest.split_once('>')?.0)
}

/// The first text in quotes.
fn quoted(arguments: &str) -> Option<Vec<u8>> {
    let (_, rest) = arguments.split_once('"')?;
    bytes(rest.split_once('"')?.0)
}

/// `\x41\x42` as bytes.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (groups, rest) = text.as_bytes().as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    groups.iter().map(|[_, _, high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// The beginning of a line that may be very long.
fn short(text: &str) -> String {
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = "/db";

    /// The path `/db/a` as strace writes it.
    const A: &str = r"\x2f\x64\x62\x2f\x61";

    /// `/db/tracehub.db-shm`.
    const SHM: &str = r"\x2f\x64\x62\x2f\x74\x72\x61\x63\x65\x68\x75\x62\x2e\x64\x62\x2d\x73\x68\x6d";

    fn calls(log: &str) -> Vec<Call> {
        let mut calls = Vec::new();
        read(log.as_bytes(), FOLDER, &mut calls).expect("the log can be read");
        calls
    }

    #[test]
    fn each_kind_of_call_is_read() {
        let log = format!(
            r#"7 openat(AT_FDCWD<\x2f>, "{A}", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3<{A}>
7 openat(AT_FDCWD<\x2f>, "{A}", O_RDONLY|O_CLOEXEC) = 3<{A}>
7 openat(AT_FDCWD<\x2f>, "{A}", O_RDWR|O_CREAT) = -1 EACCES (Permission denied)
7 pwrite64(3<{A}>, "\x01\xfe", 2, 512) = 2
7 ftruncate(3<{A}>, 0) = 0
7 fsync(3<{A}>) = 0
7 fsync(4<\x2f\x64\x62>) = 0
7 pwrite64(3<{SHM}>, "\x00", 1, 4095) = 1
7 unlink("{A}") = 0
7 sendto(9<TCP:[127.0.0.1:80->127.0.0.1:4000]>, "\x48\x54\x54\x50\x2f\x31\x2e\x31\x20\x32\x30\x30", 12, MSG_NOSIGNAL, NULL, 0) = 12
7 +++ exited with 0 +++
"#
        );
        let name = || "a".to_owned();
        let expected = [
            Call::Create { name: name() },
            Call::Write { name: name(), offset: 512, bytes: vec![1, 254] },
            Call::Truncate { name: name(), length: 0 },
            Call::Sync { name: name(), begun: 3 },
            Call::Sync { name: String::new(), begun: 4 },
            Call::Unlink { name: name() },
            Call::Answer { port: 4000 },
        ];
        assert_eq!(calls(&log), expected);
    }

    #[test]
    fn a_sync_counts_for_what_began_before_it_and_a_write_from_its_beginning() {
        let log = format!(
            r#"7 fsync(3<{A}> <unfinished ...>
8 pwrite64(3<{A}>, "\x01", 1, 0 <unfinished ...>
8 <... pwrite64 resumed>) = 1
7 <... fsync resumed>) = 0
"#
        );
        let write = Call::Write { name: "a".to_owned(), offset: 0, bytes: vec![1] };
        assert_eq!(calls(&log), [write, Call::Sync { name: "a".to_owned(), begun: 0 }]);
    }

    #[test]
    fn a_call_that_a_kill_cuts_off_may_have_written_and_has_not_synced() {
        let log = format!(
            r#"7 pwrite64(3<{A}>, "\x01", 1, 0) = ?
8 fsync(3<{A}> <unfinished ...>) = ?
9 fsync(3<{A}> <unfinished ...>
9 <... fsync resumed>) = ?
7 +++ killed by SIGKILL +++
"#
        );
        assert_eq!(calls(&log), [Call::Write { name: "a".to_owned(), offset: 0, bytes: vec![1] }]);
    }

    #[test]
    fn what_is_not_understood_is_not_passed_over() {
        for line in [
            format!(r#"7 pwrite64(3<{A}>, "\x01"..., 2, 0) = 2"#),
            format!(r#"7 pwrite64(3<{A}>, "\x01", 1, 0) = -1 EIO (Input/output error)"#),
            format!("7 fallocate(3<{A}>, 0, 0, 4096) = 0"),
        ] {
            assert!(read(line.as_bytes(), FOLDER, &mut Vec::new()).is_err(), "{line}");
        }
    }
}
