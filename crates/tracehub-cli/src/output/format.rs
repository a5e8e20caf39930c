//! Numbers for people: times, durations, counts.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Longer durations (30,000 years) come from clocks that are wrong, and would only widen every line.
const LONGEST_MS: f64 = 1e15;

/// Two days, from which on days are counted, less what would be rounded up to them.
const HOURS_UP_TO_SECONDS: f64 = 2.0 * 86_400.0 - 30.0;

/// A Unix time in ms as date and time of a zone; the bare number if no calendar reaches that far.
pub(crate) fn date_time(unix_ms: f64, zone: &TimeZone) -> String {
    in_zone(unix_ms, zone, "%Y-%m-%d %H:%M:%S%.3f")
}

/// A Unix time in ms as a day of this year and a time of it.
pub(crate) fn short_date_time(unix_ms: f64, zone: &TimeZone) -> String {
    in_zone(unix_ms, zone, "%m-%d %H:%M:%S")
}

/// A Unix time in ms as a date.
pub(crate) fn date(unix_ms: f64, zone: &TimeZone) -> String {
    in_zone(unix_ms, zone, "%Y-%m-%d")
}

/// A Unix time in ms as time of day.
pub(crate) fn time_of_day(unix_ms: f64, zone: &TimeZone) -> String {
    in_zone(unix_ms, zone, "%H:%M:%S%.3f")
}

fn in_zone(unix_ms: f64, zone: &TimeZone, pattern: &str) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what saturates is out of the calendar's range and refused there"
    )]
    let whole = unix_ms.floor() as i64;
    match Timestamp::from_millisecond(whole) {
        Ok(timestamp) => timestamp.to_zoned(zone.clone()).strftime(pattern).to_string(),
        // As a power of ten, because some would have 300 digits.
        Err(_) => format!("{unix_ms:e}"),
    }
}

/// A duration in ms, with as many digits as people read: `0.25 ms`, `41 ms`, `3.42 s`, `2 m 05 s`, `3 h 07 m`, `4 d 02 h`.
pub(crate) fn duration(ms: f64) -> String {
    if ms < 0.0 {
        return format!("-{}", duration(-ms));
    }
    let seconds = ms / 1000.0;
    if ms == 0.0 {
        "0 ms".to_owned()
    } else if ms < 9.995 {
        format!("{ms:.2} ms")
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else if seconds < 59.995 {
        format!("{seconds:.2} s")
    } else if seconds < 3599.5 {
        let whole = seconds.round();
        format!("{:.0} m {:02.0} s", (whole / 60.0).floor(), whole % 60.0)
    } else if ms > LONGEST_MS {
        format!("{seconds:.1e} s")
    } else if seconds < HOURS_UP_TO_SECONDS {
        let minutes = (seconds / 60.0).round();
        format!("{:.0} h {:02.0} m", (minutes / 60.0).floor(), minutes % 60.0)
    } else {
        let hours = (seconds / 3600.0).round();
        format!("{:.0} d {:02.0} h", (hours / 24.0).floor(), hours % 24.0)
    }
}

/// `1,204,331`
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + 6);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 entry`, `2 entries`.
pub(crate) fn entries(count: u64) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_read_them() {
        for (ms, text) in [
            (0.0, "0 ms"),
            (0.25, "0.25 ms"),
            (9.99, "9.99 ms"),
            (9.996, "10 ms"),
            (41.4, "41 ms"),
            (999.6, "1.00 s"),
            (3421.0, "3.42 s"),
            (59_996.0, "1 m 00 s"),
            (125_000.0, "2 m 05 s"),
            (11_220_000.0, "3 h 07 m"),
            (172_769_000.0, "47 h 59 m"),
            (172_770_000.0, "2 d 00 h"),
            (356_400_000.0, "4 d 03 h"),
            (-5.0, "-5.00 ms"),
            (1e308, "1.0e305 s"),
            (f64::INFINITY, "inf s"),
        ] {
            assert_eq!(duration(ms), text, "{ms}");
        }
    }

    #[test]
    fn numbers_as_people_read_them() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_204_331, "1,204,331")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn times_in_their_zone_and_beyond_the_calendar() {
        assert_eq!(date_time(1_706_803_200_123.9, &TimeZone::UTC), "2024-02-01 16:00:00.123");
        assert_eq!(time_of_day(-1.0, &TimeZone::UTC), "23:59:59.999");
        assert_eq!(date_time(1e20, &TimeZone::UTC), "1e20");
    }
}
