//! The time by which entries arrive and expire: the system's, but a jump of it deletes nothing.
//!
//! A clock that is set, by hand or by its first contact with a time server, jumps by hours or years. Were retention to
//! follow a jump forward, everything would be too old at once. So the time goes on from where it was, by a clock that
//! cannot be set, until the server is started again; small corrections are followed.

use std::time::{Duration, SystemTime};

/// A difference up to this is a correction, as time servers make them; beyond it the clock was set.
const CORRECTION: Duration = Duration::from_mins(1);

/// Seconds since 1970, and the steady time at which that was so.
#[derive(Debug)]
pub(crate) struct Clock {
    seconds: i64,
    since: Duration,
    /// By how much the system's clock was off when that was said last.
    mentioned: i64,
}

impl Clock {
    /// Starts with the system's time.
    pub(crate) fn start() -> Self {
        Self { seconds: system_seconds(), since: steady(), mentioned: 0 }
    }

    /// Seconds since 1970.
    pub(crate) fn now(&mut self) -> i64 {
        let (seconds, jump) = self.at(system_seconds(), steady());
        if let Some(jump) = jump {
            tracing::warn!(
                seconds = jump,
                "the system's clock was set; until the next start, arrival and retention go by the time before"
            );
        }
        seconds
    }

    /// The time, and by how much the system's clock has jumped if that is news.
    fn at(&mut self, system: i64, steady: Duration) -> (i64, Option<i64>) {
        let passed = steady.saturating_sub(self.since).as_secs();
        let expected = self.seconds.saturating_add_unsigned(passed);
        let jump = system.saturating_sub(expected);
        if jump.unsigned_abs() <= CORRECTION.as_secs() {
            *self = Self { seconds: system, since: steady, mentioned: 0 };
            return (system, None);
        }
        let is_news = jump.abs_diff(self.mentioned) > CORRECTION.as_secs();
        if is_news {
            self.mentioned = jump;
        }
        (expected, is_news.then_some(jump))
    }
}

fn system_seconds() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Time that goes on steadily, also while the machine sleeps, where the system has such a clock.
fn steady() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: i64 = 365 * 86_400;

    fn clock() -> Clock {
        Clock { seconds: 1_000, since: Duration::from_secs(5), mentioned: 0 }
    }

    #[test]
    fn small_corrections_are_followed() {
        let mut clock = clock();
        assert_eq!(clock.at(1_040, Duration::from_secs(15)), (1_040, None));
        assert_eq!(clock.at(1_000, Duration::from_secs(16)), (1_000, None));
        assert_eq!(clock.at(1_060, Duration::from_secs(76)), (1_060, None), "also one after the other");
    }

    #[test]
    fn a_jump_is_said_once_and_not_followed() {
        for jump in [10 * YEAR, -3_600] {
            let mut clock = clock();
            assert_eq!(clock.at(1_010 + jump, Duration::from_secs(15)), (1_010, Some(jump)));
            assert_eq!(clock.at(1_011 + jump, Duration::from_secs(16)), (1_011, None));
            assert_eq!(clock.at(1_012, Duration::from_secs(17)), (1_012, None), "it is right again");
            assert_eq!(clock.at(1_013 + jump, Duration::from_secs(18)), (1_013, Some(jump)));
        }
    }

    #[test]
    fn the_system_is_asked() {
        let mut clock = Clock::start();
        assert!(clock.now() > 1_700_000_000);
    }
}
