//! How things look here: which times, up to when ages count, how much fits on a line.

use jiff::tz::TimeZone;

use super::format;
use crate::args::{OutputArgs, now};

#[derive(Debug, Clone)]
pub(super) struct Look {
    zone: TimeZone,
    /// Whether times are shown as ages.
    relative: bool,
    /// Up to when ages count, Unix ms; up to now without.
    as_of: Option<f64>,
    /// Columns of the terminal, where there is one.
    pub(super) width: Option<usize>,
}

impl Look {
    pub(super) fn new(args: &OutputArgs) -> Self {
        let zone = if args.utc { TimeZone::UTC } else { TimeZone::system() };
        Self { zone, relative: args.relative, as_of: args.as_of, width: None }
    }

    pub(super) fn on(self, width: Option<usize>) -> Self {
        Self { width, ..self }
    }

    /// When something was.
    pub(super) fn date_time(&self, unix_ms: f64) -> String {
        self.ago(unix_ms).unwrap_or_else(|| format::date_time(unix_ms, &self.zone))
    }

    /// The same where there is little room.
    pub(super) fn short_date_time(&self, unix_ms: f64) -> String {
        self.ago(unix_ms).unwrap_or_else(|| format::short_date_time(unix_ms, &self.zone))
    }

    /// When something was, without the day if that is today for all that stand together.
    pub(super) fn time(&self, unix_ms: f64, all_today: bool) -> String {
        let today = || format::time_of_day(unix_ms, &self.zone);
        if all_today { self.ago(unix_ms).unwrap_or_else(today) } else { self.date_time(unix_ms) }
    }

    /// Whether something was today.
    pub(super) fn is_today(&self, unix_ms: f64) -> bool {
        let now = self.as_of.unwrap_or_else(now);
        format::date(unix_ms, &self.zone) == format::date(now, &self.zone)
    }

    /// How long something has been going on; none if it has not begun by the clock here.
    pub(super) fn age(&self, since_unix_ms: f64) -> Option<String> {
        let age = self.as_of.unwrap_or_else(now) - since_unix_ms;
        (age >= 0.0).then(|| format::duration(age))
    }

    fn ago(&self, unix_ms: f64) -> Option<String> {
        Some(format!("{} ago", self.age(unix_ms).filter(|_| self.relative)?))
    }
}

#[cfg(test)]
impl Look {
    /// UTC, at a time that stands still.
    pub(super) fn fixed(as_of: f64, width: Option<usize>) -> Self {
        Self { zone: TimeZone::UTC, relative: false, as_of: Some(as_of), width }
    }

    pub(super) fn relative(self) -> Self {
        Self { relative: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_said_unless_it_is_today() {
        let look = Look::fixed(1_706_803_205_000.0, None);
        assert!(look.is_today(1_706_745_600_000.0) && !look.is_today(1_706_745_599_999.0));
        assert_eq!(look.time(1_706_745_600_000.0, true), "00:00:00.000");
        assert_eq!(look.time(1_706_745_599_999.0, false), "2024-01-31 23:59:59.999");
    }

    #[test]
    fn times_as_ages_but_for_those_to_come() {
        let look = Look::fixed(1_706_803_205_000.0, None);
        assert_eq!(look.date_time(1_706_803_200_000.0), "2024-02-01 16:00:00.000");
        assert_eq!(look.age(1_706_803_206_000.0), None);
        let look = look.relative();
        assert_eq!(look.date_time(1_706_803_200_000.0), "5.00 s ago");
        assert_eq!(look.time(1_706_803_206_000.0, true), "16:00:06.000");
    }
}
