//! Lists of entry ids as bytes: the first id, then the steps to each next, as variable-length integers (LEB128, seven bits
//! a byte, low bits first). The ids of a chain lie close together, so most take one or two bytes.

/// The bytes of ids in growing order.
pub(super) fn encode(ids: &[i64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ids.len() * 2 + 8);
    let mut previous = 0;
    for &id in ids {
        let mut step = id.abs_diff(previous);
        previous = id;
        while step >= 0x80 {
            bytes.push(low_bits(step) | 0x80);
            step >>= 7;
        }
        bytes.push(low_bits(step));
    }
    bytes
}

fn low_bits(step: u64) -> u8 {
    step.to_le_bytes()[0] & 0x7f
}

/// Appends the ids of `bytes` to `ids`. Bytes that were not made by [`encode`] give ids that no entry has.
pub(super) fn decode_into(bytes: &[u8], ids: &mut Vec<i64>) {
    let mut id = 0_i64;
    let (mut step, mut shift) = (0_u64, 0_u32);
    for &byte in bytes {
        step |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        shift += 7;
        if byte & 0x80 == 0 {
            id = id.wrapping_add_unsigned(step);
            ids.push(id);
            (step, shift) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_take_a_byte() {
        assert_eq!(encode(&[5_000_000, 5_000_001, 5_000_100]).len(), 4 + 1 + 1);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(mut ids in prop::collection::vec(1..i64::MAX, 0..50)) {
            ids.sort_unstable();
            let mut decoded = Vec::new();
            decode_into(&encode(&ids), &mut decoded);
            prop_assert_eq!(decoded, ids);
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            decode_into(&bytes, &mut Vec::new());
        }
    }
}
