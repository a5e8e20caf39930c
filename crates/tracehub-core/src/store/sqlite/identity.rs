//! Finding duplicates: a hash table in a table of the database, keyed by time.
//!
//! An index over the five columns of an identity would take 31 bytes an entry; this takes 18 and is faster. A key is the
//! entry's millisecond followed by bits of a hash, so that entries of one time stand together and new ones at the end.
//! A key only leads to an entry, whose own columns then decide.
//!
//! Collisions are resolved by open addressing: an entry takes the first free key of its sequence. So this holds: **every
//! key before an entry's own in its sequence is taken.** Deletion keeps it true: a key that others were displaced by
//! (`identity_collisions` lists those) stays taken after its entry is gone, until the newest that it displaced is gone
//! too.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::direction;
use super::sites::SiteTable;
use crate::store::EntryId;

/// Bits of a key below its millisecond.
const LOW_BITS: u32 = 21;
/// The highest millisecond that a key holds: the year 2109. Entries outside of 0 to this share the keys of the end.
const MAX_MILLISECOND: i64 = (1 << (63 - LOW_BITS)) - 1;
/// How many keys of its own millisecond an entry tries. After them come keys from the negative half, spread by hash, so
/// that entries that all carry the same time do not queue up behind each other.
const NEAR_KEYS: u64 = 4;
/// How many keys an entry tries in all. The far ones are 2^63: all of them taken is out of the question.
const MAX_KEYS: u64 = 24;

/// What tells an entry from every other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Identity<'a> {
    pub(super) chain: i64,
    pub(super) timestamp: f64,
    pub(super) suffix: &'a str,
    pub(super) source_id: &'a str,
    pub(super) direction: &'a str,
}

impl Identity<'_> {
    /// The keys that it may have, in order. `scratch` is written over; `seed` makes them unpredictable to senders.
    fn keys(&self, seed: u64, scratch: &mut Vec<u8>) -> impl Iterator<Item = i64> + use<> {
        // 0.0 and -0.0 are one time.
        let timestamp = self.timestamp + 0.0;
        scratch.clear();
        scratch.extend_from_slice(&self.chain.to_le_bytes());
        scratch.extend_from_slice(&timestamp.to_bits().to_le_bytes());
        for text in [self.suffix, self.source_id, self.direction] {
            scratch.extend_from_slice(text.as_bytes());
            // No text holds this byte, so none can run into the next.
            scratch.push(0xff);
        }
        let hash = xxh3_64_with_seed(scratch, seed);
        (0..MAX_KEYS)
            .map(move |attempt| if attempt < NEAR_KEYS { near(timestamp, hash, attempt) } else { far(hash, attempt) })
    }
}

/// A key of the entry's own millisecond. A fraction of it comes next, if there is one, so that keys grow with time.
fn near(timestamp: f64, hash: u64, attempt: u64) -> i64 {
    const FRACTION_BITS: u32 = 10;
    let millisecond = timestamp.floor();
    let fraction = (timestamp - millisecond) * f64::from(1 << FRACTION_BITS);
    // Other bits of the hash for each attempt.
    let bits = hash.rotate_right(u32::try_from(attempt).unwrap_or(0) * 13);
    let low = if fraction > 0.0 {
        let fraction = saturating_integer(fraction) & ((1 << FRACTION_BITS) - 1);
        fraction << (LOW_BITS - FRACTION_BITS) | lowest(bits, LOW_BITS - FRACTION_BITS)
    } else {
        lowest(bits, LOW_BITS)
    };
    saturating_integer(millisecond).clamp(0, MAX_MILLISECOND) << LOW_BITS | low
}

/// A key anywhere in the negative half. The mixing is the finaliser of splitmix64 (Steele, Lea, Flood 2014).
fn far(hash: u64, attempt: u64) -> i64 {
    let mut bits = hash.wrapping_add(attempt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    i64::MIN | lowest(bits ^ (bits >> 31), 63)
}

fn lowest(bits: u64, count: u32) -> i64 {
    (bits & ((1 << count) - 1)).cast_signed()
}

#[expect(clippy::cast_possible_truncation, reason = "beyond the range it saturates, as the callers expect")]
fn saturating_integer(value: f64) -> i64 {
    value as i64
}

/// The identities of all entries, as a transaction sees them.
pub(super) struct Identities<'a> {
    insert: CachedStatement<'a>,
    occupant: CachedStatement<'a>,
    note_collision: CachedStatement<'a>,
    sites: SiteTable,
    seed: u64,
    scratch: Vec<u8>,
}

impl<'a> Identities<'a> {
    pub(super) fn prepare(connection: &'a Connection, sites: &SiteTable, seed: u64) -> rusqlite::Result<Self> {
        Ok(Self {
            insert: connection.prepare_cached("INSERT INTO identities VALUES (?1, ?2) ON CONFLICT DO NOTHING")?,
            occupant: connection.prepare_cached(
                "SELECT chain, timestamp, suffix, site, direction FROM identities \
                 JOIN entries ON entries.id = identities.entry_id WHERE key = ?1",
            )?,
            note_collision: connection.prepare_cached(
                "INSERT INTO identity_collisions VALUES (?1, ?2) \
                 ON CONFLICT DO UPDATE SET newest_entry_id = excluded.newest_entry_id",
            )?,
            sites: sites.clone(),
            seed,
            scratch: Vec::new(),
        })
    }

    /// Takes a key for the entry that is about to be stored under `id`; false if one of its identity is stored.
    pub(super) fn claim(&mut self, identity: &Identity<'_>, id: EntryId) -> rusqlite::Result<bool> {
        for (attempt, key) in identity.keys(self.seed, &mut self.scratch).enumerate() {
            self.insert.raw_bind_parameter(1, key)?;
            self.insert.raw_bind_parameter(2, id.0)?;
            if self.insert.raw_execute()? == 1 {
                return if attempt == 0 { Ok(true) } else { self.note_displaced(identity, id, attempt) };
            }
            if self.holds(key, identity)? {
                return Ok(false);
            }
        }
        Err(too_many_collisions())
    }

    /// Whether the key belongs to an entry of this identity that is still there.
    fn holds(&mut self, key: i64, identity: &Identity<'_>) -> rusqlite::Result<bool> {
        let sites = &self.sites;
        let same = self.occupant.query_row([key], |row| {
            let site = sites.resolve(row.get_ref(3)?)?;
            let occupant = Identity {
                chain: row.get(0)?,
                timestamp: row.get(1)?,
                suffix: row.get_ref(2)?.as_str()?,
                source_id: site.source(),
                direction: direction(row.get_ref(4)?)?,
            };
            Ok(occupant == *identity)
        });
        Ok(same.optional()?.unwrap_or(false))
    }

    /// Writes down which keys must stay taken for as long as the entry `id` lives.
    fn note_displaced(&mut self, identity: &Identity<'_>, id: EntryId, attempts: usize) -> rusqlite::Result<bool> {
        for key in identity.keys(self.seed, &mut self.scratch).take(attempts) {
            self.note_collision.execute((key, id.0))?;
        }
        Ok(true)
    }
}

/// Gives back the keys of entries that are deleted.
pub(super) struct IdentityRemoval<'a> {
    remove: CachedStatement<'a>,
    kept: CachedStatement<'a>,
    seed: u64,
    scratch: Vec<u8>,
}

impl<'a> IdentityRemoval<'a> {
    pub(super) fn prepare(connection: &'a Connection, seed: u64) -> rusqlite::Result<Self> {
        Ok(Self {
            remove: connection.prepare_cached(
                "DELETE FROM identities WHERE key = ?1 AND entry_id = ?2 \
                 AND NOT EXISTS (SELECT 1 FROM identity_collisions WHERE key = ?1)",
            )?,
            kept: connection.prepare_cached("SELECT 1 FROM identities WHERE key = ?1 AND entry_id = ?2")?,
            seed,
            scratch: Vec::new(),
        })
    }

    /// Gives back the key of one entry, or leaves it taken while entries live that it displaced.
    pub(super) fn remove(&mut self, identity: &Identity<'_>, id: EntryId) -> rusqlite::Result<()> {
        for key in identity.keys(self.seed, &mut self.scratch) {
            if self.remove.execute((key, id.0))? == 1 || self.kept.exists((key, id.0))? {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Gives back the keys that were only kept for entries before `oldest_left`, which are gone.
pub(super) fn forget_collisions(connection: &Connection, oldest_left: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM identities WHERE key IN (SELECT key FROM identity_collisions WHERE newest_entry_id < ?1)",
        )?
        .execute([oldest_left])?;
    connection
        .prepare_cached("DELETE FROM identity_collisions WHERE newest_entry_id < ?1")?
        .execute([oldest_left])
        .map(drop)
}

/// The seed that the database was made with.
pub(super) fn seed(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT identity_seed FROM sequence", [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

fn too_many_collisions() -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure("no key is free for an entry's identity".into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn identity(timestamp: f64, suffix: &str) -> Identity<'_> {
        Identity { chain: 1, timestamp, suffix, source_id: "MA", direction: "->" }
    }

    fn keys(identity: &Identity<'_>) -> Vec<i64> {
        identity.keys(7, &mut Vec::new()).collect()
    }

    #[test]
    fn keys_grow_with_time() {
        let first = |timestamp: f64| keys(&identity(timestamp, "s"))[0];
        let now = 1_764_000_000_000.0;
        assert!(first(now) < first(now + 1.0));
        assert!(first(now + 0.25) < first(now + 0.5));
        assert!(first(-5.0) >= 0 && first(1e300) > first(now));
    }

    #[test]
    fn a_text_does_not_run_into_the_next() {
        let a = Identity { chain: 1, timestamp: 1.0, suffix: "ab", source_id: "c", direction: "->" };
        let b = Identity { suffix: "a", source_id: "bc", ..a };
        assert_ne!(keys(&a), keys(&b));
    }

    proptest! {
        #[test]
        fn any_time_has_keys_of_both_halves(timestamp in prop::num::f64::NORMAL | prop::num::f64::ZERO, suffix: String) {
            let keys = keys(&identity(timestamp, &suffix));
            prop_assert!(keys[..4].iter().all(|key| *key >= 0));
            prop_assert!(keys[4..].iter().all(|key| *key < 0));
            prop_assert_eq!(keys.len() as u64, MAX_KEYS);
        }
    }
}
