//! Secrets: which are valid, compared so that the time tells nothing.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// The most values that are valid at a time: the one that is in use, and the one that takes its place.
const MAX_VALUES: usize = 2;
/// The fewest bytes of a secret. Shorter ones can be found by trying.
const MIN_BYTES: usize = 8;

/// One or two valid secrets, as digests: their lengths tell nothing, and no copy of the text is kept.
#[derive(Clone, PartialEq, Eq)]
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
        assert_eq!(Secrets::parse(" ,\n"), Err(SecretsError::Empty));
        assert_eq!(Secrets::parse("a-secret b-secret c-secret"), Err(SecretsError::TooMany));
        assert_eq!(Secrets::parse("hunter2"), Err(SecretsError::TooShort));
        assert!(!format!("{both:?}").contains("secret,"));
    }
}
