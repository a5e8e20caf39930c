//! What `GET /readyz` answers: each thing that a server needs for its work, and how it is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The answer to `GET /readyz` of a server that is ready. One that is not sends the checks with its refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReadyAnswer {
    /// `ready`.
    pub status: &'static str,
    /// Each thing that was looked at.
    pub checks: ReadyChecks,
}

/// Each thing that was looked at: `ok`, or what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReadyChecks {
    /// The server goes on.
    pub server: Check,
    /// The writer answers, and takes entries.
    pub writer: Check,
    /// The queue has room.
    pub queue: Check,
    /// The disk has room, and may be written to.
    pub disk: Check,
    /// The database can be read.
    pub database: Check,
}

impl ReadyChecks {
    /// The checks by name, in the order in which they are sent.
    #[must_use]
    pub fn named(&self) -> [(&'static str, Check); 5] {
        [
            ("server", self.server),
            ("writer", self.writer),
            ("queue", self.queue),
            ("disk", self.disk),
            ("database", self.database),
        ]
    }

    /// The first thing that is not well, and what is wrong with it.
    #[must_use]
    pub fn trouble(&self) -> Option<(&'static str, Check)> {
        self.named().into_iter().find(|(_, check)| *check != Check::Ok)
    }
}

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// It is well.
    Ok,
    /// It is about to end.
    Stopping,
    /// It does not answer.
    Silent,
    /// It is full.
    Full,
    /// It lets nothing be changed.
    ReadOnly,
    /// Another program holds it.
    Busy,
    /// It fails; the log says why.
    Failing,
}

impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ok => "ok",
            Self::Stopping => "stopping",
            Self::Silent => "silent",
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::Busy => "busy",
            Self::Failing => "failing",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_trouble_is_told_and_each_check_has_its_name() {
        let well = ReadyChecks {
            server: Check::Ok,
            writer: Check::Ok,
            queue: Check::Ok,
            disk: Check::Ok,
            database: Check::Ok,
        };
        assert_eq!(well.trouble(), None);
        let worse = ReadyChecks { disk: Check::Full, database: Check::Silent, ..well };
        assert_eq!(worse.trouble(), Some(("disk", Check::Full)));
        let json = serde_json::to_value(worse).unwrap();
        let names: Vec<&str> = worse.named().map(|(name, _)| name).to_vec();
        assert_eq!(json.as_object().unwrap().len(), names.len());
        assert!(names.iter().all(|name| json.get(name).is_some()), "{json}");
        assert_eq!(json["database"], "silent");
    }
}
