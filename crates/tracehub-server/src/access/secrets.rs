//! Secrets: which are valid, compared so that the time tells nothing.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// The most values that are valid at a time: the one that is in use, and the one that takes its place.
const MAX_VALUES: usize = 2;
/// The fewest bytes of a secret. Shorter ones can be found by trying.
const MIN_BYTES: usize = 8;

/// One or two valid secrets, as digests: their lengths tell nothing, and no copy of the text is kept. Not comparable
/// otherwise than by [`accept`](Self::accept).
#[derive(Clone)]
pub struct Secrets(Vec<[u8; 32]>);

/// Why text cannot be used as secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// There is none in it.
    #[error("is empty")]
    Empty,
    /// There are more than two.
    #[error("has more than two values")]
    TooMany,
    /// One of them can be guessed.
    #[error("has a value of fewer than {MIN_BYTES} characters")]
    TooShort,
}

impl Secrets {
    /// Reads one secret or two, separated by commas or white space. Two are for rotation: give the new one to the server
    /// first, then to the clients, then take the old one away.
    ///
    /// # Errors
    /// [`SecretsError`]; it does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, SecretsError> {
        let separates = |character: char| character == ',' || character.is_whitespace();
        let values: Vec<&str> = text.split(separates).filter(|value| !value.is_empty()).collect();
        match values.as_slice() {
            [] => Err(SecretsError::Empty),
            values if values.len() > MAX_VALUES => Err(SecretsError::TooMany),
            values if values.iter().any(|value| value.len() < MIN_BYTES) => Err(SecretsError::TooShort),
            values => Ok(Self(values.iter().map(|value| digest(value)).collect())),
        }
    }

    /// Whether what was given is one of them. The only place where secrets are compared.
    #[must_use]
    pub fn accept(&self, given: &str) -> bool {
        let given = digest(given);
        // Every value is looked at, whichever matches.
        let matches = self.0.iter().fold(Choice::from(0), |found, valid| found | valid.ct_eq(&given));
        matches.into()
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secrets({} values)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_two_values_are_valid_and_nothing_else() {
        let both = Secrets::parse("old-secret, new-secret\n").unwrap();
        assert!(both.accept("old-secret") && both.accept("new-secret"));
        for wrong in ["", "old", "old-secret,", "old-secret, new-secret", "Old-secret", "old-secret\0"] {
            assert!(!both.accept(wrong), "{wrong:?}");
        }
        assert_eq!(Secrets::parse(" ,\n").unwrap_err(), SecretsError::Empty);
        assert_eq!(Secrets::parse("a-secret b-secret c-secret").unwrap_err(), SecretsError::TooMany);
        assert_eq!(Secrets::parse("hunter2").unwrap_err(), SecretsError::TooShort);
        assert_eq!(format!("{both:?}"), "Secrets(2 values)");
    }

    /// Times of valid and wrong secrets, taken in a random order, do not differ (Welch's t, as dudect has it). Busy
    /// machines are noisy, so that one of three tries must be quiet; a comparison that stops early never is.
    #[test]
    fn the_time_of_a_comparison_tells_nothing() {
        let compare = |accept: fn(&Secrets, &str) -> bool| {
            let secrets = Secrets::parse("a-long-and-valid-secret").unwrap();
            let mut given = String::new();
            let mut times = [Vec::new(), Vec::new()];
            for _ in 0..8_000 {
                let is_wrong = fastrand::bool();
                given.clear();
                given.push_str(if is_wrong { "b-long-and-valid-secret" } else { "a-long-and-valid-secret" });
                let began = std::time::Instant::now();
                std::hint::black_box(accept(&secrets, std::hint::black_box(&given)));
                times[usize::from(is_wrong)].push(began.elapsed().as_nanos() as f64);
            }
            let [valid, wrong] = times.map(|mut times| {
                times.sort_by(f64::total_cmp);
                // What interrupted the measurement is not what is measured.
                times.truncate(times.len() * 9 / 10);
                let mean = times.iter().sum::<f64>() / times.len() as f64;
                let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / times.len() as f64;
                (mean, variance / times.len() as f64)
            });
            ((valid.0 - wrong.0) / (valid.1 + wrong.1).sqrt()).abs()
        };
        let quietest = |accept| (0..3).map(|_| compare(accept)).fold(f64::INFINITY, f64::min);
        let ours = quietest(Secrets::accept);
        assert!(ours < 4.5, "t = {ours}");
        // What this test would say if wrong secrets were answered sooner.
        let naive = quietest(|secrets, given| given.starts_with('a') && secrets.accept(given));
        assert!(naive > 4.5, "t = {naive}");
    }
}
