//! One grammar for times: `now`, `2h` (ago), `2026-11-01`, `2026-11-01T12:00Z`; and how times are shown.

use hooklog_schemas::Timestamp;
use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const UNITS: [(&str, Duration); 6] = [
    ("ms", Duration::from_millis(1)),
    ("s", Duration::from_secs(1)),
    ("m", Duration::from_secs(MINUTE)),
    ("h", Duration::from_secs(HOUR)),
    ("d", Duration::from_secs(DAY)),
    ("w", Duration::from_secs(7 * DAY)),
];

/// A time that somebody typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// An instant.
    At(Timestamp),
    /// So long before now.
    Ago(Duration),
}

/// Why a text is not a time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a time; write 2h or 1d12h (so long ago), now, 2026-11-01, or 2026-11-01T12:00Z"
)]
pub(crate) struct WhenError(String);

/// Why a text is not a duration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration; write 500ms, 30s, 5m, 2h, 7d, 1w, or 1h30m")]
pub(crate) struct SpanError(String);

impl When {
    /// The instant that is meant, for somebody to whom it is `now`.
    pub(crate) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => {
                let micros = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
                Timestamp(now.0.saturating_sub(micros))
            }
        }
    }
}

impl FromStr for When {
    type Err = WhenError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.trim();
        if plain == "now" {
            return Ok(Self::Ago(Duration::ZERO));
        }
        let ago = plain.strip_suffix("ago").map_or(plain, str::trim_end);
        if let Ok(span) = span(ago) {
            return Ok(Self::Ago(span));
        }
        let midnight = format!("{plain}T00:00Z");
        let at = plain.parse().or_else(|_| midnight.parse());
        at.map(Self::At).map_err(|_| WhenError(text.to_owned()))
    }
}

/// A point as the API takes it: what is relative to `now` becomes an instant, and what is no time, as
/// a record's place or a bookmark, stays as it is.
pub(crate) fn point(text: &str, now: Timestamp) -> String {
    let when = text.parse::<When>();
    when.map_or_else(|_| text.to_owned(), |when| when.resolve(now).to_string())
}

/// Reads a duration: numbers with units, the larger first: `1h30m`.
///
/// # Errors
/// When it is not one, or too long to count.
pub(crate) fn span(text: &str) -> Result<Duration, SpanError> {
    let error = || SpanError(text.to_owned());
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut last = Duration::MAX;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.len()
            - tail
                .trim_start_matches(|c: char| c.is_ascii_lowercase())
                .len();
        let (name, tail) = tail.split_at(letters);
        let number: u32 = number.parse().map_err(|_| error())?;
        let unit = UNITS.iter().find(|(unit, _)| *unit == name);
        let (_, unit) = unit.filter(|(_, unit)| *unit < last).ok_or_else(error)?;
        let part = unit.checked_mul(number).ok_or_else(error)?;
        total = total.checked_add(part).ok_or_else(error)?;
        last = *unit;
        rest = tail;
    }
    (last != Duration::MAX).then_some(total).ok_or_else(error)
}

/// A time as people say it: `3m ago`, `in 2h`; the date when it is more than 30 days away.
pub(crate) fn relative(at: Timestamp, now: Timestamp) -> String {
    let away = now.since(at).max(at.since(now)).as_secs();
    if away > 30 * DAY {
        return at.to_string().chars().take(10).collect();
    }
    let amount = match away {
        0 => return "now".to_owned(),
        MINUTE.. if away < HOUR => format!("{}m", away / MINUTE),
        HOUR.. if away < 2 * DAY => format!("{}h", away / HOUR),
        DAY.. => format!("{}d", away / DAY),
        _ => format!("{away}s"),
    };
    if at > now {
        format!("in {amount}")
    } else {
        format!("{amount} ago")
    }
}

/// An instant to the millisecond, in UTC: `2026-11-01 12:00:00.123Z`.
pub(crate) fn exact(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('T') {
        Some((date, time)) => format!("{date} {}Z", time.get(..12).unwrap_or(time)),
        None => text,
    }
}

/// A duration as people say it: `87 ms`, `1.3 s`, `2h`, `1d12h`.
pub(crate) fn lasting(span: Duration) -> String {
    let secs = span.as_secs();
    if span < Duration::from_millis(1) && !span.is_zero() {
        return "under 1 ms".to_owned();
    }
    if secs == 0 {
        return format!("{} ms", span.as_millis());
    }
    if secs < MINUTE {
        let tenths = span.as_millis() / 100;
        return match tenths % 10 {
            0 => format!("{secs} s"),
            tenth => format!("{secs}.{tenth} s"),
        };
    }
    let mut text = String::new();
    let parts = [
        ("d", secs / DAY),
        ("h", secs % DAY / HOUR),
        ("m", secs % HOUR / MINUTE),
        ("s", secs % MINUTE),
    ];
    for (unit, number) in parts.into_iter().filter(|(_, number)| *number > 0).take(2) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{number}{unit}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_793_534_400_000_000);

    #[test]
    fn a_time_is_so_long_ago_or_an_instant() {
        for (text, expected) in [
            ("now", "2026-11-01T12:00:00.000000Z"),
            ("2h", "2026-11-01T10:00:00.000000Z"),
            ("2h ago", "2026-11-01T10:00:00.000000Z"),
            ("1d12h", "2026-10-31T00:00:00.000000Z"),
            ("250ms", "2026-11-01T11:59:59.750000Z"),
            ("1w", "2026-10-25T12:00:00.000000Z"),
            ("2026-10-01", "2026-10-01T00:00:00.000000Z"),
            ("2026-10-01T12:00Z", "2026-10-01T12:00:00.000000Z"),
            ("2026-10-01T12:00:00.5+02:00", "2026-10-01T10:00:00.500000Z"),
        ] {
            let when: When = text.parse().unwrap();
            assert_eq!(when.resolve(NOW).to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_refused_with_examples() {
        for text in [
            "",
            "2",
            "h",
            "-2h",
            "2 h",
            "30m2h",
            "2h2h",
            "yesterday",
            "2026-13-01",
            "9999999999d",
        ] {
            let error = text.parse::<When>().unwrap_err().to_string();
            assert!(error.contains("2026-11-01T12:00Z"), "{text}: {error}");
        }
    }

    #[test]
    fn times_are_told_from_now() {
        for (seconds, expected) in [
            (0, "now"),
            (-59, "59s ago"),
            (-60, "1m ago"),
            (-3_599, "59m ago"),
            (-3_600, "1h ago"),
            (-47 * 3_600, "47h ago"),
            (-48 * 3_600, "2d ago"),
            (-31 * 86_400, "2026-10-01"),
            (90, "in 1m"),
            (7_200, "in 2h"),
        ] {
            let at = Timestamp(NOW.0 + seconds * 1_000_000);
            assert_eq!(relative(at, NOW), expected);
        }
        assert_eq!(exact(NOW), "2026-11-01 12:00:00.000Z");
    }

    #[test]
    fn durations_are_told_with_at_most_two_units() {
        for (micros, expected) in [
            (0, "0 ms"),
            (400, "under 1 ms"),
            (87_900, "87 ms"),
            (1_300_000, "1.3 s"),
            (15_000_000, "15 s"),
            (90_000_000, "1m30s"),
            (3_600_000_000, "1h"),
            (129_661_000_000, "1d12h"),
        ] {
            assert_eq!(lasting(Duration::from_micros(micros)), expected);
        }
    }
}
