//! Ids: new ones, and which of those that come in are taken.

use std::hash::{BuildHasher, RandomState};
use std::process;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The longest inbound id, in characters.
const MAX_INBOUND: usize = 128;

/// A new correlation id: 128 random bits as 32 lower-case hexadecimal digits.
///
/// ```
/// use tracehub_client::correlation;
///
/// let id = correlation::new_id();
/// assert_eq!(id.len(), 32);
/// assert!(correlation::valid_inbound(&id));
/// ```
#[must_use]
pub fn new_id() -> String {
    format!("{:016x}{:016x}", random_bits(), random_bits())
}

/// Whether an id that came from outside may be taken: 1 to 128 characters of `A-Z a-z 0-9 . _ : -`.
///
/// What else a header may hold could break a log line, a URL or a page further on.
///
/// ```
/// use tracehub_client::correlation::valid_inbound;
///
/// assert!(valid_inbound("order-17:retry.2"));
/// assert!(!valid_inbound("<script>"));
/// ```
#[must_use]
pub fn valid_inbound(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-');
    (1..=MAX_INBOUND).contains(&id.len()) && id.bytes().all(allowed)
}

/// 64 bits that no other call and no other process is likely to get.
///
/// A counter, scrambled with keys that the system's random source gave this process: unlike generators that are seeded
/// from clock and thread number, two machines that started alike do not repeat each other.
pub(crate) fn random_bits() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    bits(process::id(), CALLS.fetch_add(1, Ordering::Relaxed))
}

/// The process counts, because a fork inherits keys and counter.
fn bits(process: u32, call: u64) -> u64 {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEYS.hash_one((process, call))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_fork_does_not_repeat_its_parent() {
        assert_ne!(bits(1, 7), bits(2, 7));
    }

    #[test]
    fn new_ids_are_valid_and_differ() {
        let ids: HashSet<String> = (0..1_000).map(|_| new_id()).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(ids.iter().all(|id| id.len() == 32 && valid_inbound(id)));
    }

    #[test]
    fn inbound_ids_are_checked() {
        for id in ["a", "A-z.0_9:", &"x".repeat(128)] {
            assert!(valid_inbound(id), "{id}");
        }
        for id in ["", " ", "a b", "a/b", "a\n", "é", "<a>", &"x".repeat(129)] {
            assert!(!valid_inbound(id), "{id}");
        }
    }
}
