//! How much may be sent in one request, learned from those whose time was up. Decisions only, no clock and no I/O.

use std::time::Duration;

use crate::transport::Outcome;

/// So many requests in a row without an answer in time are no accident: their bodies may be too large.
pub(crate) const SLOW_AFTER: u32 = 2;

/// What is known of a server and the way to it.
#[derive(Debug)]
pub(crate) struct Pace {
    /// How many requests in a row had no answer in time.
    timeouts: u32,
    /// How long the last of them took.
    patience: Duration,
    /// The most bytes of a body that may arrive in time, as far as is known.
    fitting: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { timeouts: 0, patience: Duration::ZERO, fitting: usize::MAX }
    }
}

impl Pace {
    /// Takes note of what came of a body, and after how long.
    pub(crate) fn note(&mut self, outcome: &Outcome, bytes: usize, took: Duration) {
        if matches!(outcome, Outcome::TimedOut { .. }) {
            self.timeouts = self.timeouts.saturating_add(1);
            self.patience = took;
            if self.timeouts >= SLOW_AFTER {
                self.fitting = self.fitting.min(bytes / 2);
            }
            return;
        }
        self.timeouts = 0;
        if matches!(outcome, Outcome::Acknowledged { .. }) && took < self.patience / 2 {
            // Twice as much would have arrived in time, too.
            self.fitting = self.fitting.max(bytes.saturating_mul(2));
        }
    }

    /// How many requests in a row had no answer in time.
    pub(crate) fn timeouts(&self) -> u32 {
        self.timeouts
    }

    /// Whether a body of so many bytes may arrive in time.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        bytes <= self.fitting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn timed_out() -> Outcome {
        Outcome::TimedOut { reason: String::new() }
    }

    fn arrived() -> Outcome {
        Outcome::Acknowledged { accepted: 1 }
    }

    #[test]
    fn two_timeouts_in_a_row_halve_what_fits() {
        let mut pace = Pace::default();
        for outcome in [timed_out(), arrived(), timed_out(), Outcome::Unknown, timed_out()] {
            pace.note(&outcome, 1_000, PATIENCE);
            assert!(pace.fits(usize::MAX), "{outcome:?}");
        }
        pace.note(&timed_out(), 1_000, PATIENCE);
        assert!(pace.fits(500) && !pace.fits(501));
        pace.note(&timed_out(), 400, PATIENCE);
        assert!(pace.fits(200) && !pace.fits(201));
    }

    #[test]
    fn what_arrives_in_half_of_the_time_doubles_it() {
        let mut pace = Pace::default();
        for _ in 0..2 {
            pace.note(&timed_out(), 1_000, PATIENCE);
        }
        pace.note(&arrived(), 400, PATIENCE / 2);
        assert!(!pace.fits(501), "that was slow");
        pace.note(&arrived(), 400, PATIENCE / 3);
        assert!(pace.fits(800) && !pace.fits(801));
        pace.note(&Outcome::Unknown, 800, Duration::ZERO);
        assert!(!pace.fits(801), "nothing has arrived");
        pace.note(&arrived(), 100, Duration::ZERO);
        assert!(pace.fits(800), "a small one says nothing of large ones");
    }
}
