//! The entries of a measurement: 20 to a chain, a number of chains alive at a time in random order, the same every run.

use std::fmt::Write as _;
use std::time::SystemTime;

/// How many entries a chain has.
const CHAIN_ENTRIES: u32 = 20;
/// What separates two entries in time, in ms.
const STEP_MS: f64 = 0.05;

/// One entry, as both stores need it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) source_id: &'static str,
    pub(super) correlation_id: String,
    pub(super) timestamp: f64,
    pub(super) suffix: String,
    pub(super) direction: &'static str,
    pub(super) endpoint: String,
    pub(super) data: Option<String>,
    pub(super) hostname: String,
}

/// Makes entries, one after the other.
#[derive(Debug)]
pub(super) struct Source {
    random: fastrand::Rng,
    /// The chains that are alive: id, and entries so far.
    chains: Vec<(String, u32)>,
    timestamp: f64,
    with_data: bool,
}

impl Source {
    /// `live` chains at a time; `data` of 80 bytes or none. Two sources of different seeds have no chain in common.
    pub(super) fn new(seed: u64, live: usize, with_data: bool) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let chains = (0..live).map(|_| (new_id(&mut random), 0)).collect();
        Self { random, chains, timestamp: 1_706_803_200_000.0, with_data }
    }

    pub(super) fn next(&mut self) -> Entry {
        let place = self.random.usize(..self.chains.len());
        if self.chains[place].1 == CHAIN_ENTRIES {
            self.chains[place] = (new_id(&mut self.random), 0);
        }
        let (id, entries) = &mut self.chains[place];
        let direction = if *entries % 2 == 0 { "->" } else { "<-" };
        *entries += 1;
        self.timestamp += STEP_MS;
        Entry {
            source_id: ["MA", "WK", "WS", "VM"][place % 4],
            correlation_id: id.clone(),
            timestamp: (self.timestamp * 1000.0).round() / 1000.0,
            suffix: format!("{:05x}", self.random.u32(..1 << 20)),
            direction,
            endpoint: format!("/api/agents/{}", self.random.u8(..40)),
            data: self.with_data.then(|| {
                let (id, user) = (self.random.u32(..), self.random.u16(100..1000));
                format!(r#"{{"binding_id":"{id:08x}","user":"user-{user}","status":200,"note":"abcdefghijklmn"}}"#)
            }),
            hostname: format!("web-{}", place % 8),
        }
    }

    /// A request body with this many entries.
    pub(super) fn body(&mut self, entries: usize) -> String {
        let mut body = String::with_capacity(entries * 320 + 16);
        body.push_str("{\"traces\":[");
        for place in 0..entries {
            if place > 0 {
                body.push(',');
            }
            write_entry(&mut body, &self.next());
        }
        body.push_str("]}");
        body
    }
}

/// Unix time in seconds.
pub(super) fn now_seconds() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_secs().cast_signed()
}

fn new_id(random: &mut fastrand::Rng) -> String {
    format!("{:032x}", random.u128(..))
}

fn write_entry(body: &mut String, entry: &Entry) {
    let Entry { source_id, correlation_id, timestamp, suffix, direction, endpoint, data, hostname } = entry;
    let data = data.as_deref().unwrap_or("null");
    // Writing to a string cannot fail.
    let _ = write!(
        body,
        r#"{{"source_id":"{source_id}","correlation_id":"{correlation_id}","timestamp":{timestamp:?},"suffix":"{suffix}","direction":"{direction}","operation":"REST","endpoint":"{endpoint}","data":{data},"hostname":"{hostname}","raw_line":null}}"#
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_has_eighty_bytes_and_bodies_are_valid() {
        let mut source = Source::new(1, 3, true);
        assert_eq!(source.next().data.map(|data| data.len()), Some(80));
        let batch = tracehub_core::wire::ingest::IngestBatch::parse(source.body(100).into_bytes());
        assert_eq!(batch.expect("a valid body").len(), 100);
    }

    #[test]
    fn the_same_seed_gives_the_same_entries() {
        assert_eq!(Source::new(7, 5, true).body(50), Source::new(7, 5, true).body(50));
        assert_ne!(Source::new(7, 5, true).body(50), Source::new(8, 5, true).body(50));
    }
}
