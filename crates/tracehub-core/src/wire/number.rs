//! Numbers that JSON can carry.

/// The nearest number that is finite. Two timestamps at the ends of what a double holds are further apart than that, and
/// JSON has no word for infinity: it would be `null` where a number is promised.
pub(super) fn finite(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number.clamp(f64::MIN, f64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_one_that_json_can_carry() {
        for (number, expected) in
            [(1.5, 1.5), (f64::INFINITY, f64::MAX), (f64::NEG_INFINITY, f64::MIN), (f64::NAN, 0.0)]
        {
            assert!((finite(number) - expected).abs() < f64::EPSILON, "{number}");
        }
    }
}
