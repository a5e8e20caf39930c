//! The settings that are numbers or switches: names, ranges, and how the environment writes them.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::SECRET_VARIABLE;
use crate::error::BuildError;

/// A setting's names, its range, and the range in words.
pub(super) struct Knob<T> {
    setting: &'static str,
    variable: &'static str,
    least: T,
    most: T,
    expected: &'static str,
}

pub(super) const BATCH_SIZE: Knob<usize> = Knob {
    setting: "batch_size",
    variable: "TRACEHUB_BATCH_SIZE",
    least: 1,
    most: 10_000,
    expected: "a whole number from 1 to 10000",
};
pub(super) const FLUSH_INTERVAL: Knob<Seconds> = Knob {
    setting: "flush_interval",
    variable: "TRACEHUB_FLUSH_INTERVAL",
    least: Seconds(Duration::ZERO),
    most: Seconds(Duration::from_hours(1)),
    expected: "a number of seconds from 0 to 3600",
};
pub(super) const TIMEOUT: Knob<Seconds> = Knob {
    setting: "timeout",
    variable: "TRACEHUB_TIMEOUT",
    least: Seconds(Duration::from_millis(1)),
    most: Seconds(Duration::from_hours(1)),
    expected: "a number of seconds from 0.001 to 3600",
};
pub(super) const RETRY_COUNT: Knob<u32> = Knob {
    setting: "retry_count",
    variable: "TRACEHUB_RETRY_COUNT",
    least: 0,
    most: 1_000,
    expected: "a whole number from 0 to 1000",
};
pub(super) const QUEUE_CAPACITY: Knob<usize> = Knob {
    setting: "queue_capacity",
    variable: "",
    least: 1,
    most: 1 << 20,
    expected: "a whole number from 1 to 1048576",
};
pub(super) const MAX_BYTES: Knob<usize> = Knob {
    setting: "max_bytes",
    variable: "",
    least: 1 << 10,
    most: 1 << 30,
    expected: "a number of bytes from 1024 to 1073741824",
};

pub(super) const SPOOL_MAX_BYTES: Knob<u64> = Knob {
    setting: "spool_max_bytes",
    variable: "",
    least: 64 << 10,
    most: 1 << 40,
    expected: "a number of bytes from 65536 to 1099511627776",
};

impl<T: PartialOrd + Display + Copy> Knob<T> {
    pub(super) fn check(&self, value: T) -> Result<T, BuildError> {
        if (self.least..=self.most).contains(&value) {
            Ok(value)
        } else {
            Err(BuildError::InvalidSetting { setting: self.setting, value: value.to_string(), expected: self.expected })
        }
    }
}

impl<T: PartialOrd + FromStr + Copy> Knob<T> {
    pub(super) fn read(&self, lookup: &Lookup<'_>) -> Result<Option<T>, BuildError> {
        let Some(text) = text_variable(self.variable, self.expected, lookup)? else {
            return Ok(None);
        };
        match text.trim().parse() {
            Ok(value) if (self.least..=self.most).contains(&value) => Ok(Some(value)),
            _ => Err(BuildError::InvalidVariable {
                variable: self.variable,
                value: Some(text),
                expected: self.expected.to_owned(),
            }),
        }
    }
}

/// A duration that is written as seconds, such as `0.5`.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(super) struct Seconds(pub(super) Duration);

impl FromStr for Seconds {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let seconds: f64 = text.parse().map_err(|_| ())?;
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|_| ())
    }
}

impl Display for Seconds {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.0.as_secs_f64())
    }
}

/// Finds a variable of the environment. Handed in, so that tests need not change the process's own.
pub(super) type Lookup<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

/// A variable's text; none if it is not set or empty, which is what `VAR=` in a compose file means.
pub(super) fn text_variable(
    variable: &'static str,
    expected: &str,
    lookup: &Lookup<'_>,
) -> Result<Option<String>, BuildError> {
    match lookup(variable).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(Err(raw)) => Err(BuildError::InvalidVariable {
            variable,
            value: (variable != SECRET_VARIABLE).then(|| raw.to_string_lossy().into_owned()),
            expected: expected.to_owned(),
        }),
    }
}

/// A variable that names a file or a folder; none if it is not set or empty.
pub(super) fn path_variable(variable: &str, lookup: &Lookup<'_>) -> Option<PathBuf> {
    lookup(variable).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// A variable that says yes or no.
pub(super) fn switch(variable: &'static str, lookup: &Lookup<'_>) -> Result<Option<bool>, BuildError> {
    let expected = "1, true, yes, on, 0, false, no or off";
    let Some(text) = text_variable(variable, expected, lookup)? else { return Ok(None) };
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(Some(true)),
        "0" | "false" | "no" | "off" => Ok(Some(false)),
        _ => Err(BuildError::InvalidVariable { variable, value: Some(text), expected: expected.to_owned() }),
    }
}
