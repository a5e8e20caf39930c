//! Files of the client's spool: bytes are a segment or they are not, and whatever a segment's entries are, the request
//! made of them is a body that the server can judge.

use tracehub_client::fuzzing::{body_of, segment_entries, segment_of};
use tracehub_core::wire::ingest::IngestBatch;
use xxhash_rust::xxh3::xxh3_64;

/// Checks any bytes as a segment, and as what follows a header that is right.
///
/// # Panics
/// Something does not hold.
pub fn check(bytes: &[u8]) {
    check_segment(bytes);
    // The checksum keeps what is behind it from ever being looked at, so it is made right here.
    let Some((count, payload)) = bytes.split_first_chunk::<4>() else { return };
    let mut segment = b"THSPOOL1".to_vec();
    segment.extend_from_slice(count);
    segment.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    segment.extend_from_slice(&xxh3_64(payload).to_le_bytes());
    segment.extend_from_slice(payload);
    check_segment(&segment);
    if segment_entries(&segment).is_err() {
        return;
    }
    // Whatever bit of it is turned, it is noticed.
    let turned = usize::from(count[0]) % segment.len();
    let turned_bit = 1 << (count[1] % 8);
    segment[turned] ^= turned_bit;
    assert!(segment_entries(&segment).is_err(), "bit {turned_bit} of byte {turned}");
}

fn check_segment(bytes: &[u8]) {
    let Ok(entries) = segment_entries(bytes) else { return };
    assert_eq!(segment_of(&entries), bytes, "one way to write a segment");
    // Entries whose checksum is right are sent as they are; the server has the last word.
    let body = body_of(&entries);
    if let Ok(batch) = IngestBatch::parse(body) {
        // Text that closes the list early could bring more or fewer, but never an entry that is not valid.
        batch.entries().for_each(|entry| entry.validate().expect("an entry of a batch is valid"));
    }
}
