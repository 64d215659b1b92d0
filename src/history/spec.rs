//! How people name a point.

use hooklog_schemas::{Position, PositionError, Timestamp};
use std::fmt;
use std::str::FromStr;

/// What somebody asked for: a time, a record, or a bookmark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PointSpec {
    /// What was appended up to this time.
    Time(Timestamp),
    /// Everything up to this record, with it.
    Position(Position),
    /// A bookmark's name.
    Bookmark(String),
}

/// Why a text names no point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// It looks like a position, and is none.
    #[error(transparent)]
    Position(#[from] PositionError),
    /// It is nothing that names a point.
    #[error(
        "{0:?} is not a point; write 2026-11-01T12:00Z or 2026-11-01 (a time), \
         webhooks/3@1042 (a record), or @NAME (a bookmark)"
    )]
    Form(String),
}

impl FromStr for PointSpec {
    type Err = SpecError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.trim();
        if let Some(name) = plain.strip_prefix('@') {
            return match name {
                "" => Err(SpecError::Form(text.to_owned())),
                name => Ok(Self::Bookmark(name.to_owned())),
            };
        }
        if plain.contains('@') {
            return Ok(Self::Position(plain.parse()?));
        }
        let midnight = format!("{plain}T00:00Z");
        let time = plain.parse().or_else(|_| midnight.parse());
        time.map(Self::Time)
            .map_err(|_| SpecError::Form(text.to_owned()))
    }
}

impl fmt::Display for PointSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => time.fmt(f),
            Self::Position(position) => position.fmt(f),
            Self::Bookmark(name) => write!(f, "@{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_a_time_a_record_or_a_bookmark_and_reads_as_it_prints() {
        for (text, printed) in [
            ("2026-11-01", "2026-11-01T00:00:00.000000Z"),
            ("2026-11-01T12:00Z", "2026-11-01T12:00:00.000000Z"),
            ("webhooks/3@1042", "webhooks/3@1042"),
            ("@before-the-move", "@before-the-move"),
        ] {
            let spec: PointSpec = text.parse().unwrap();
            assert_eq!(spec.to_string(), printed);
            assert_eq!(printed.parse(), Ok(spec));
        }
    }

    #[test]
    fn what_names_no_point_is_told_how_one_looks() {
        for text in [
            "",
            "@",
            "yesterday",
            "webhooks/3",
            "webhooks/3@x",
            "2026-13-01",
        ] {
            let error = text.parse::<PointSpec>().unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    }
}
