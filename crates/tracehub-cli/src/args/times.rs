//! Times and durations as people type them.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo, Timestamp};

/// A time as Unix ms: a number, or a date and time.
pub(crate) fn unix_ms(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => date_time(text).ok_or_else(|| "neither Unix ms nor such as 2026-02-01T16:00:00Z".to_owned()),
    }
}

/// A time as Unix ms: so long ago, or a date and time.
pub(crate) fn since(text: &str) -> Result<f64, String> {
    let ago =
        |span: Span| Some(now() - span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?.as_secs_f64() * 1e3);
    span(text)
        .and_then(ago)
        .or_else(|| date_time(text))
        .ok_or_else(|| "neither a duration such as 15m, 2h, 3d nor such as 2026-02-01T16:00:00Z".to_owned())
}

/// A duration, such as 500ms or 2s.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    span(text)
        .and_then(|span| Duration::try_from(span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?).ok())
        .ok_or_else(|| "not a duration such as 500ms, 2s, 5m".to_owned())
}

fn span(text: &str) -> Option<Span> {
    text.parse::<Span>().ok().filter(|span| !span.is_negative())
}

fn date_time(text: &str) -> Option<f64> {
    text.parse::<Timestamp>().ok().map(|time| time.as_millisecond() as f64)
}

/// Now as Unix ms.
pub(crate) fn now() -> f64 {
    Timestamp::now().as_millisecond() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_write_them() {
        assert_eq!(unix_ms("1706803200123.5"), Ok(1_706_803_200_123.5));
        assert_eq!(unix_ms("2024-02-01T16:00:00.123Z"), Ok(1_706_803_200_123.0));
        assert!(unix_ms("yesterday").is_err() && unix_ms("nan").is_err());
        for (text, seconds) in [("90s", 90.0), ("15m", 900.0), ("2h", 7200.0), ("3d", 259_200.0)] {
            let ago = now() - since(text).unwrap();
            assert!((ago - seconds * 1e3).abs() < 5e3, "{text}: {ago}");
        }
        assert_eq!(since("2024-02-01T16:00:00Z"), Ok(1_706_803_200_000.0));
        assert!(since("-5m").is_err() && since("soon").is_err());
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(duration("-1s").is_err() && duration("5").is_err());
    }
}
