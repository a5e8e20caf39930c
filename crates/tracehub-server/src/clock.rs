//! The time by which entries arrive and expire: the system's, but a jump of it deletes nothing.
//!
//! A clock that is set, by hand or by its first contact with a time server, jumps by hours or years, and that of a virtual
//! machine by as long as its host has slept. Were retention to follow a jump forward, everything would be too old at once;
//! were it not to follow, what arrives would be too old at the next start, and those who ask what came within the hour
//! would miss it. So the times of arrival of what is stored are moved by as much, and the clock is followed then: each entry
//! is as old after the jump as before. A clock that cannot be set tells a jump from time that has passed; small corrections
//! are followed.

use std::time::{Duration, SystemTime};

/// A difference up to this is a correction, as time servers make them; beyond it the clock was set.
const CORRECTION: Duration = Duration::from_mins(1);

/// Seconds since 1970, and the steady time at which that was so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    seconds: i64,
    since: Duration,
}

/// What the system's clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Seconds since 1970.
    Time(i64),
    /// The clock was set, forward or back.
    Jump {
        /// By so many seconds.
        seconds: i64,
        /// Seconds since 1970 had it not been set: the time until the jump is [followed](Clock::follow).
        time: i64,
        /// What to go on from once it is followed.
        after: Clock,
    },
}

impl Clock {
    /// Starts with the system's time.
    pub(crate) fn start() -> Self {
        Self { seconds: system_seconds(), since: steady() }
    }

    /// The time, or that it was set.
    pub(crate) fn read(&mut self) -> Reading {
        self.at(Self::start())
    }

    /// Goes on from after a jump; gives the time there.
    pub(crate) fn follow(&mut self, after: Self) -> i64 {
        *self = after;
        after.seconds
    }

    /// Seconds since 1970 when it was read last.
    pub(crate) fn last(&self) -> i64 {
        self.seconds
    }

    fn at(&mut self, system: Self) -> Reading {
        let passed = system.since.saturating_sub(self.since).as_secs();
        let expected = self.seconds.saturating_add_unsigned(passed);
        let jump = system.seconds.saturating_sub(expected);
        if jump.unsigned_abs() > CORRECTION.as_secs() {
            return Reading::Jump { seconds: jump, time: expected, after: system };
        }
        Reading::Time(self.follow(system))
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

    fn clock(seconds: i64, since: u64) -> Clock {
        Clock { seconds, since: Duration::from_secs(since) }
    }

    #[test]
    fn small_corrections_are_followed() {
        let mut time = clock(1_000, 5);
        assert_eq!(time.at(clock(1_040, 15)), Reading::Time(1_040));
        assert_eq!(time.at(clock(1_000, 16)), Reading::Time(1_000));
        assert_eq!(time.at(clock(1_060, 76)), Reading::Time(1_060), "also one after the other");
    }

    #[test]
    fn a_jump_is_said_until_it_is_followed() {
        for seconds in [10 * YEAR, -3_600] {
            let mut time = clock(1_000, 5);
            for second in 11..14 {
                let after = clock(1_000 + second + seconds, 5 + second.unsigned_abs());
                assert_eq!(time.at(after), Reading::Jump { seconds, time: 1_000 + second, after });
            }
            assert_eq!(time.at(clock(1_014, 19)), Reading::Time(1_014), "it is right again");
            let after = clock(1_015 + seconds, 20);
            assert!(matches!(time.at(after), Reading::Jump { .. }));
            assert_eq!(time.follow(after), 1_015 + seconds);
            assert_eq!(time.at(clock(1_016 + seconds, 21)), Reading::Time(1_016 + seconds));
        }
    }

    #[test]
    fn the_system_is_asked() {
        let mut time = Clock::start();
        assert!(matches!(time.read(), Reading::Time(1_700_000_000..)));
    }
}
