//! One grammar for points: a time as elsewhere, a record, or a bookmark.

use super::time::When;
use crate::history::PointSpec;
use clap::Args;
use hooklog_schemas::Timestamp;
use std::str::FromStr;

/// A point that somebody typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A time, perhaps so long ago.
    When(When),
    /// A record or a bookmark.
    Named(PointSpec),
}

/// Why a text is not a point.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a point; write 2h or 1d12h (so long ago), 2026-11-01, 2026-11-01T12:00Z, \
     webhooks/3@1042 (a record), or @NAME (a bookmark)"
)]
pub(crate) struct MomentError(String);

impl Moment {
    /// The point that is meant, for somebody to whom it is `now`.
    pub(crate) fn resolve(&self, now: Timestamp) -> PointSpec {
        match self {
            Self::When(when) => PointSpec::Time(when.resolve(now)),
            Self::Named(spec) => spec.clone(),
        }
    }
}

impl FromStr for Moment {
    type Err = MomentError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(when) = text.parse() {
            return Ok(Self::When(when));
        }
        let spec = text.parse();
        spec.map(Self::Named)
            .map_err(|_| MomentError(text.to_owned()))
    }
}

/// What is looked at: the present, or a point of the past.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct AsOf {
    /// What it was then: 2h (ago), 2026-11-01T12:00Z, webhooks/3@1042 (a record), @NAME (a bookmark)
    #[arg(long, value_name = "POINT")]
    as_of: Option<Moment>,
}

impl AsOf {
    /// The query parameter.
    pub(crate) fn query(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let point = self.as_of.as_ref().map(|point| point.resolve(now));
        let point = point.map(|point| ("as_of", point.to_string()));
        point.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_a_time_a_record_or_a_bookmark() {
        let now = "2026-11-01T12:00Z".parse().unwrap();
        for (text, sent) in [
            ("2h", "2026-11-01T10:00:00.000000Z"),
            ("2026-10-01", "2026-10-01T00:00:00.000000Z"),
            ("webhooks/3@1042", "webhooks/3@1042"),
            ("@audit", "@audit"),
        ] {
            let point: Moment = text.parse().unwrap();
            assert_eq!(point.resolve(now).to_string(), sent);
        }
        let wrong = "yesterday".parse::<Moment>().unwrap_err().to_string();
        assert!(wrong.contains("@NAME"), "{wrong}");
    }
}
