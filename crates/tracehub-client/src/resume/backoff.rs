//! How long to wait before the next connection: full jitter under a doubling ceiling. Decisions only, no clock.

use std::time::Duration;

/// The longest first wait; each further one may be twice as long.
const BASE: Duration = Duration::from_millis(100);
/// The longest wait.
pub(super) const MAX: Duration = Duration::from_secs(10);

/// The wait after so many attempts in a row without success. `chance` is a random number in 0.0..1.0.
///
/// Anything up to the ceiling, so that listeners whose server went away do not come back all at once.
pub(super) fn wait(failed: u32, chance: f64) -> Duration {
    BASE.saturating_mul(2_u32.saturating_pow(failed)).min(MAX).mul_f64(chance)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_ten_seconds() {
        let waits: Vec<u64> = [0, 1, 2, 6, 7, u32::MAX]
            .map(|failed| u64::try_from(wait(failed, 1.0).as_millis()).expect("a small number"))
            .to_vec();
        assert_eq!(waits, [100, 200, 400, 6_400, 10_000, 10_000]);
    }

    proptest! {
        #[test]
        fn any_part_of_the_ceiling_is_possible(failed in any::<u32>(), chance in 0.0..1.0_f64) {
            let share = wait(failed, chance).as_secs_f64() / wait(failed, 1.0).as_secs_f64();
            prop_assert!((share - chance).abs() < 1e-6);
        }
    }
}
