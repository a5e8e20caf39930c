//! A segment: some entries in a file of their own. It is written whole, renamed into place, never changed, and deleted
//! when the server has its entries.
//!
//! Layout, numbers little-endian: the magic `THSPOOL1`; how many entries (u32); how many bytes follow the header (u64);
//! XXH3-64 of those bytes (u64); then for each entry its length (u32) and its JSON.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use crate::batch::Batch;

const MAGIC: &[u8; 8] = b"THSPOOL1";
const HEADER_BYTES: usize = 28;
const LENGTH_BYTES: usize = 4;
/// How a file is named that is being written.
pub(super) const UNFINISHED: &str = "new";

/// Why bytes are no segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damage {
    #[error("it is cut off, or has bytes too many")]
    Length,
    #[error("it is not a segment, or one of a later version")]
    Magic,
    #[error("its checksum is wrong")]
    Checksum,
    #[error("its entries do not fill it")]
    Entries,
}

/// The bytes of a segment.
pub(crate) fn encode(batch: &Batch) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    for entry in batch.entries() {
        // A batch is far below 4 GiB.
        bytes.extend_from_slice(&u32::try_from(entry.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(entry);
    }
    let payload = &bytes[HEADER_BYTES..];
    let (length, checksum) = (payload.len() as u64, xxh3_64(payload));
    let count = u32::try_from(batch.len()).unwrap_or(u32::MAX);
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&count.to_le_bytes());
    bytes[12..20].copy_from_slice(&length.to_le_bytes());
    bytes[20..28].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Appends a segment's entries to a batch; none of them if it is damaged.
pub(crate) fn decode(bytes: &[u8], batch: &mut Batch) -> Result<(), Damage> {
    let count = check_header(bytes, bytes.len() as u64)?;
    let (header, payload) = bytes.split_at_checked(HEADER_BYTES).ok_or(Damage::Length)?;
    if number(&header[20..28]) != xxh3_64(payload) {
        return Err(Damage::Checksum);
    }
    let mut entries = Vec::new();
    let mut rest = payload;
    while !rest.is_empty() {
        let (length, after) = rest.split_at_checked(LENGTH_BYTES).ok_or(Damage::Entries)?;
        let length = usize::try_from(number(length)).map_err(|_| Damage::Entries)?;
        let (entry, after) = after.split_at_checked(length).ok_or(Damage::Entries)?;
        entries.push(entry);
        rest = after;
    }
    if entries.len() as u64 != count {
        return Err(Damage::Entries);
    }
    for entry in entries {
        batch.push(0, |json| json.extend_from_slice(entry));
    }
    Ok(())
}

/// Why a segment cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    Damaged(#[from] Damage),
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Unreadable {
    /// Whether to try again is in vain. A host that has no file handle left for a moment must not cost entries.
    pub(super) fn is_final(&self) -> bool {
        use io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
        match self {
            Self::Damaged(_) => true,
            Self::System(err) => matches!(err.kind(), IsADirectory | NotADirectory | NotFound | PermissionDenied),
        }
    }
}

impl From<Unreadable> for io::Error {
    fn from(problem: Unreadable) -> Self {
        match problem {
            Unreadable::Damaged(damage) => Self::other(damage),
            Unreadable::System(err) => err,
        }
    }
}

/// Appends a segment's entries to a batch; none of them if it cannot be read.
pub(super) fn read(path: &Path, batch: &mut Batch) -> Result<(), Unreadable> {
    let (mut file, mut bytes) = (File::open(path)?, Vec::new());
    let length = file.metadata()?.len();
    (&mut file).take(HEADER_BYTES as u64).read_to_end(&mut bytes)?;
    // Looked at first: a file that is none of ours may be too large for memory.
    check_header(&bytes, length)?;
    file.read_to_end(&mut bytes)?;
    Ok(decode(&bytes, batch)?)
}

/// How many entries a segment says it has; what a look at its first bytes can tell.
pub(super) fn count(path: &Path) -> Result<u64, Unreadable> {
    let mut header = [0; HEADER_BYTES];
    let mut file = File::open(path)?;
    file.read_exact(&mut header)?;
    Ok(check_header(&header, file.metadata()?.len())?)
}

/// How many entries a segment of this length has, if its beginning is right.
fn check_header(header: &[u8], length: u64) -> Result<u64, Damage> {
    let (header, _) = header.split_at_checked(HEADER_BYTES).ok_or(Damage::Length)?;
    let (count, payload) = (number(&header[8..12]), number(&header[12..20]));
    if &header[..8] != MAGIC {
        Err(Damage::Magic)
    } else if payload.checked_add(HEADER_BYTES as u64) != Some(length) {
        Err(Damage::Length)
    } else if count > payload / LENGTH_BYTES as u64 {
        Err(Damage::Entries)
    } else {
        Ok(count)
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Writes a file so that it is there whole or not at all, whenever the process is killed. What was there is replaced. Not
/// synced: a power cut may take it.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension(UNFINISHED);
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&temporary).and_then(|mut file| file.write_all(bytes));
    written.and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn batch(entries: &[Vec<u8>]) -> Batch {
        let mut batch = Batch::default();
        for entry in entries {
            batch.push(0, |json| json.extend_from_slice(entry));
        }
        batch
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..20)) {
            let mut decoded = Batch::default();
            decode(&encode(&batch(&entries)), &mut decoded).unwrap();
            prop_assert_eq!(decoded.entries().map(<[u8]>::to_vec).collect::<Vec<_>>(), entries);
        }

        #[test]
        fn a_changed_or_cut_segment_is_noticed(
            entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..20),
            place in any::<prop::sample::Index>(),
            change in 1..=255_u8,
            cut in any::<bool>(),
        ) {
            let mut bytes = encode(&batch(&entries));
            let place = place.index(bytes.len());
            if cut {
                bytes.truncate(place);
            } else {
                bytes[place] ^= change;
            }
            let mut decoded = Batch::default();
            prop_assert!(decode(&bytes, &mut decoded).is_err());
            prop_assert!(decoded.is_empty());
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes, &mut Batch::default());
        }
    }
}
