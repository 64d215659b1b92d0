//! Instants, in microseconds.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An instant: microseconds since 1970-01-01T00:00:00Z. Events and tables hold it as an integer.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From whole seconds since 1970.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This instant and `span` later; stays at the end of time instead of overflowing.
    #[must_use]
    pub fn plus(self, span: std::time::Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero if it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> std::time::Duration {
        let micros = self.0.saturating_sub(earlier.0);
        std::time::Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(at) => write!(f, "{at:.6}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

/// Why a text is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a time ({reason}); one looks like 2026-11-01T12:00:00Z")]
pub struct TimestampError {
    text: String,
    reason: String,
}

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed: Result<jiff::Timestamp, _> = text.parse();
        parsed
            .map(|at| Self(at.as_microsecond()))
            .map_err(|error| TimestampError {
                text: text.to_owned(),
                reason: error.to_string(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_reads_as_it_prints() {
        let at = Timestamp(1_793_534_400_000_001);
        assert_eq!(at.to_string(), "2026-11-01T12:00:00.000001Z");
        assert_eq!("2026-11-01T12:00:00.000001Z".parse(), Ok(at));
        assert_eq!(
            "2026-11-01T12:00Z".parse(),
            Ok(Timestamp(1_793_534_400_000_000))
        );
    }

    #[test]
    fn nothing_overflows() {
        let late = Timestamp(i64::MAX).plus(std::time::Duration::MAX);
        assert_eq!(late, Timestamp(i64::MAX));
        assert_eq!(Timestamp(0).since(late), std::time::Duration::ZERO);
    }
}
