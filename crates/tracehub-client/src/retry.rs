//! What follows from the server's answer: done, again later, in halves, or never. Decisions only, no clock and no I/O.

use std::time::Duration;

use crate::pace::SLOW_AFTER;
use crate::stats::DropReason;
use crate::transport::Outcome;

/// The longest first wait; each further one may be twice as long.
const BASE_WAIT: Duration = Duration::from_millis(100);
/// The longest wait without a word of the server.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// The longest wait that a server can ask for. A `Retry-After` of a day is taken for a mistake.
const MAX_ASKED_WAIT: Duration = Duration::from_mins(5);

/// What to do with the entries of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The server has them.
    Delivered,
    /// Send the same bytes again after this wait.
    Again(Duration),
    /// Send each half alone: at least one entry is bad, or the body is too large or does not arrive in time.
    Halve,
    /// Give them up.
    Drop(DropReason),
}

/// Decides what follows from `outcome`, for a request of so many `entries` that was already retried `retried` times of
/// `allowed`; none is without end. So many requests in a row, this one counted, had no answer in time: `timeouts`.
/// `chance` is a random number in 0.0..1.0.
///
/// Halving for want of time counts for no retry. It ends at one entry, so 500 that meet a server that hangs cost nine
/// such requests.
pub(crate) fn judge(
    outcome: &Outcome,
    entries: usize,
    timeouts: u32,
    retried: u32,
    allowed: Option<u32>,
    chance: f64,
) -> Verdict {
    let again = |asked: Option<Duration>| {
        if allowed.is_none_or(|allowed| retried < allowed) {
            Verdict::Again(wait(retried, asked, chance))
        } else {
            Verdict::Drop(DropReason::Undelivered)
        }
    };
    match outcome {
        Outcome::Acknowledged { accepted } if *accepted == entries as u64 => Verdict::Delivered,
        Outcome::TimedOut { .. } if entries > 1 && timeouts >= SLOW_AFTER => Verdict::Halve,
        Outcome::TimedOut { .. } | Outcome::Unreachable { .. } => again(None),
        Outcome::Refused { status, retry_after, .. } => match status {
            408 | 429 | 502 | 503 | 504 => again(*retry_after),
            400 | 413 | 422 if entries > 1 => Verdict::Halve,
            400 | 413 | 422 => Verdict::Drop(DropReason::Rejected),
            401 | 403 => Verdict::Drop(DropReason::Unauthorized),
            _ => Verdict::Drop(DropReason::Unexpected),
        },
        Outcome::Acknowledged { .. } | Outcome::Unknown => Verdict::Drop(DropReason::Unexpected),
    }
}

/// Full jitter: anything from nothing to the doubled base, so that clients which failed together do not come back
/// together; on top of what the server asked for.
fn wait(retried: u32, asked: Option<Duration>, chance: f64) -> Duration {
    let ceiling = BASE_WAIT.saturating_mul(2_u32.saturating_pow(retried)).min(MAX_WAIT);
    asked.unwrap_or_default().min(MAX_ASKED_WAIT) + ceiling.mul_f64(chance)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(status: u16) -> Outcome {
        Outcome::Refused { status, retry_after: None, message: String::new() }
    }

    #[test]
    fn each_answer_has_its_consequence() {
        let dropped = Verdict::Drop;
        let cases = [
            (Outcome::Acknowledged { accepted: 4 }, Verdict::Delivered),
            (Outcome::Acknowledged { accepted: 3 }, dropped(DropReason::Unexpected)),
            (Outcome::Unknown, dropped(DropReason::Unexpected)),
            (refused(400), Verdict::Halve),
            (refused(413), Verdict::Halve),
            (refused(422), Verdict::Halve),
            (refused(401), dropped(DropReason::Unauthorized)),
            (refused(403), dropped(DropReason::Unauthorized)),
            (refused(307), dropped(DropReason::Unexpected)),
            (refused(404), dropped(DropReason::Unexpected)),
            (refused(500), dropped(DropReason::Unexpected)),
        ];
        for (outcome, verdict) in cases {
            assert_eq!(judge(&outcome, 4, 0, 0, Some(2), 0.5), verdict, "{outcome:?}");
        }
        assert_eq!(judge(&refused(422), 1, 0, 0, Some(2), 0.5), dropped(DropReason::Rejected));
    }

    #[test]
    fn only_passing_troubles_are_retried_and_only_as_often_as_allowed() {
        let unreachable = Outcome::Unreachable { reason: String::new() };
        let timed_out = Outcome::TimedOut { reason: String::new() };
        for outcome in [refused(408), refused(429), refused(502), refused(503), refused(504), unreachable, timed_out] {
            assert_eq!(judge(&outcome, 4, 1, 1, Some(2), 0.5), Verdict::Again(Duration::from_millis(100)));
            assert_eq!(judge(&outcome, 4, 1, 2, Some(2), 0.5), Verdict::Drop(DropReason::Undelivered));
            assert_eq!(judge(&outcome, 4, 1, 0, Some(0), 0.5), Verdict::Drop(DropReason::Undelivered));
        }
    }

    #[test]
    fn what_does_not_arrive_in_time_twice_is_halved() {
        let timed_out = Outcome::TimedOut { reason: String::new() };
        for allowed in [None, Some(2), Some(0)] {
            assert_eq!(judge(&timed_out, 4, 2, 1, allowed, 0.5), Verdict::Halve);
        }
        assert_eq!(judge(&timed_out, 1, 9, 1, None, 0.5), Verdict::Again(Duration::from_millis(100)));
        assert_eq!(judge(&timed_out, 1, 9, 2, Some(2), 0.5), Verdict::Drop(DropReason::Undelivered));
    }

    proptest! {
        #[test]
        fn waits_stay_between_what_was_asked_and_the_ceiling(
            retried in any::<u32>(),
            asked in prop::option::of(0_u64..10_000),
            chance in 0.0..1.0_f64,
        ) {
            let asked = asked.map(Duration::from_secs);
            let wait = wait(retried, asked, chance);
            let floor = asked.unwrap_or_default().min(MAX_ASKED_WAIT);
            prop_assert!(wait >= floor);
            prop_assert!(wait <= floor + MAX_WAIT);
            if retried < 8 {
                prop_assert!(wait <= floor + BASE_WAIT * 2_u32.pow(retried));
            }
        }
    }
}
