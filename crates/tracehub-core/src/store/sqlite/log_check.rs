//! A look at SQLite's write-ahead log before SQLite opens it: what is damaged in it is passed over in silence there.
//!
//! SQLite reads the log up to the first frame that is not whole, because a crash leaves such frames at its end, and drops
//! the rest (<https://www.sqlite.org/fileformat2.html#the_write_ahead_log>). A power cut takes any part of the last commit,
//! which was being written. If the end of another commit lies between the damage and that one's, it was no crash: the disk
//! lost or changed what was synced, and with it commits that were acknowledged.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::open::beside;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// With this magic, checksums read the log's words as little-endian; with the next number as big-endian.
const MAGIC: u32 = 0x377f_0682;

/// What is wrong with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogDamage {
    /// Its beginning is not that of a log, so nothing in it is used.
    Header {
        /// How many bytes it has.
        bytes: u64,
    },
    /// A frame in its midst is damaged, so neither it nor those after it are used.
    Frames {
        /// Frames before the damage.
        used: u64,
        /// Frames of the same run from there on.
        lost: u64,
    },
}

impl fmt::Display for LogDamage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { bytes } => {
                write!(formatter, "the log of {bytes} bytes has a damaged beginning: what was committed to it is lost")
            }
            Self::Frames { used, lost } => write!(
                formatter,
                "the log is damaged after {used} pages: the {lost} that follow, and what was committed with them, are lost"
            ),
        }
    }
}

/// Looks at the log of a database that nobody has open. None if there is no log, or it is as a crash may leave it.
pub(super) fn log_damage(database: &Path) -> io::Result<Option<LogDamage>> {
    match File::open(beside(database, "-wal")) {
        Ok(log) => look(io::BufReader::with_capacity(1 << 20, log)),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(err) => Err(err),
    }
}

fn look(mut log: impl Read) -> io::Result<Option<LogDamage>> {
    let mut header = [0; HEADER_BYTES];
    let read = read_up_to(&mut log, &mut header)?;
    if read == 0 {
        return Ok(None);
    }
    let magic = word(&header, 0);
    let page = word(&header, 8) as usize;
    let mut sum = Checksum { little_endian: magic == MAGIC, values: [0; 2] };
    sum.add(&header[..24]);
    let is_log = magic & !1 == MAGIC && page.is_power_of_two() && (512..=65_536).contains(&page);
    if read < HEADER_BYTES || !is_log || sum.values != [word(&header, 24), word(&header, 28)] {
        let rest = io::copy(&mut log, &mut io::sink())?;
        return Ok(Some(LogDamage::Header { bytes: read as u64 + rest }));
    }
    let mut frame = vec![0; FRAME_HEADER_BYTES + page];
    let (mut used, mut damaged, mut commits) = (0, 0, 0);
    while read_up_to(&mut log, &mut frame)? == frame.len() {
        // What an earlier run of the log has left behind it has other salts.
        if frame[8..16] != header[16..24] {
            break;
        }
        sum.add(&frame[..8]);
        sum.add(&frame[FRAME_HEADER_BYTES..]);
        if damaged == 0 && sum.values == [word(&frame, 16), word(&frame, 20)] {
            used += 1;
        } else {
            damaged += 1;
            // The last frame of a commit has the size of the database after it.
            commits += u32::from(word(&frame, 4) != 0);
        }
    }
    Ok((commits > 1).then_some(LogDamage::Frames { used, lost: damaged }))
}

/// Reads until the buffer is full or there is no more; gives how many bytes.
fn read_up_to(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..])? {
            0 => break,
            more => filled += more,
        }
    }
    Ok(filled)
}

fn word(bytes: &[u8], place: usize) -> u32 {
    bytes.get(place..place + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// The log's own checksum, which runs on from frame to frame: <https://www.sqlite.org/fileformat2.html#checksum_algorithm>.
struct Checksum {
    little_endian: bool,
    values: [u32; 2],
}

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        let [mut first, mut second] = self.values;
        for pair in bytes.chunks_exact(8) {
            let (one, other) = (word(pair, 0), word(pair, 4));
            let (one, other) = if self.little_endian { (one.swap_bytes(), other.swap_bytes()) } else { (one, other) };
            first = first.wrapping_add(one).wrapping_add(second);
            second = second.wrapping_add(other).wrapping_add(first);
        }
        self.values = [first, second];
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;

    use super::*;

    /// The log of ten commits, as it lies there while the database is open.
    fn log() -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
        connection.execute_batch("CREATE TABLE t (x)").unwrap();
        for number in 0..10 {
            connection.execute("INSERT INTO t VALUES (?1)", [format!("{number}").repeat(1_000)]).unwrap();
        }
        assert_eq!(log_damage(&path).unwrap(), None);
        fs::read(folder.path().join("a.db-wal")).unwrap()
    }

    fn damage(log: &[u8]) -> Option<LogDamage> {
        look(log).unwrap()
    }

    #[test]
    fn what_a_crash_leaves_is_no_damage() {
        let log = log();
        assert_eq!(damage(&[]), None);
        for cut in [HEADER_BYTES, HEADER_BYTES + 10, log.len() - 1, log.len() - 5_000, log.len()] {
            assert_eq!(damage(&log[..cut]), None, "cut at {cut}");
        }
        let mut torn = log.clone();
        let last = torn.len() - 100;
        torn[last] ^= 1;
        assert_eq!(damage(&torn), None, "the last frame may be half written");
        // A log that was begun anew, over an older and longer one.
        let mut salts = log.clone();
        let frame = FRAME_HEADER_BYTES + word(&log, 8) as usize;
        for old in (3 * frame + HEADER_BYTES..log.len()).step_by(frame) {
            salts[old + 8] ^= 1;
        }
        assert_eq!(damage(&salts), None);
        // A large commit of which the system had written the end and not the beginning.
        let frame = FRAME_HEADER_BYTES + word(&log, 8) as usize;
        let mut large = log.clone();
        for header in (HEADER_BYTES + 4 * frame..log.len() - frame).step_by(frame) {
            large[header + 4..header + 8].fill(0);
        }
        large[HEADER_BYTES + 4 * frame + 500] ^= 4;
        assert_eq!(damage(&large), None);
    }

    #[test]
    fn a_flipped_bit_and_a_lost_beginning_are_noticed() {
        let log = log();
        let frame = FRAME_HEADER_BYTES + word(&log, 8) as usize;
        let frames = ((log.len() - HEADER_BYTES) / frame) as u64;
        let mut flipped = log.clone();
        flipped[HEADER_BYTES + 2 * frame + 500] ^= 4;
        assert_eq!(damage(&flipped), Some(LogDamage::Frames { used: 2, lost: frames - 2 }));
        let bytes = log.len() as u64;
        let mut zeroed = log.clone();
        zeroed[..HEADER_BYTES].fill(0);
        assert_eq!(damage(&zeroed), Some(LogDamage::Header { bytes }));
        let mut changed = log;
        changed[17] ^= 1;
        assert_eq!(damage(&changed), Some(LogDamage::Header { bytes }));
    }
}
