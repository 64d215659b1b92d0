//! `Retry-After`, in both of its forms, without trust.

use hooklog_schemas::Timestamp;
use std::time::Duration;

/// The longest delay that a subscriber may ask for.
pub const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// The delay that an answer's `Retry-After` values ask for: the longest of those that are valid,
/// between `shortest` (the policy's own delay) and 24 hours. Invalid ones count for nothing.
#[must_use]
pub fn delay(values: &[String], now: Timestamp, shortest: Duration) -> Duration {
    let asked = values
        .iter()
        .filter_map(|value| parse(value.trim(), now))
        .max();
    // A policy may itself wait longer than what subscribers may ask for.
    asked.unwrap_or_default().min(LONGEST).max(shortest)
}

fn parse(value: &str, now: Timestamp) -> Option<Duration> {
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are still a wish to wait very long.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?;
    Some(Timestamp(at.timestamp().as_microsecond()).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_793_534_400); // 2026-11-01T12:00:00Z
    const SHORTEST: Duration = Duration::from_secs(5);

    #[test]
    fn every_form_is_read_and_clamped() {
        let table: [(&[&str], u64); 14] = [
            (&[], 5),
            (&["0"], 5),
            (&["60"], 60),
            (&[" 60 "], 60),
            (&["-1"], 5),
            (&["NaN"], 5),
            (&["1e300"], 5),
            (&["1.5"], 5),
            (&["99999999999"], 86_400),
            (&["99999999999999999999999999"], 86_400),
            (&["Sun, 01 Nov 2026 12:02:00 GMT"], 120),
            (&["Sun, 01 Nov 2020 12:02:00 GMT"], 5),
            (&["Sun, 99 Nov 2026 12:02:00 GMT"], 5),
            (&["60", "90"], 90),
        ];
        for (values, secs) in table {
            let owned: Vec<String> = values.iter().map(|&value| value.to_owned()).collect();
            let delay = delay(&owned, NOW, SHORTEST);
            assert_eq!(delay, Duration::from_secs(secs), "{values:?}");
        }
    }
}
