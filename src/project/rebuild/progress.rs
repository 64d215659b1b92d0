//! How far a rebuild is, and what came of it.

use super::compare::Compared;
use std::time::Duration;

/// What a rebuild is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It folds the log.
    Folding,
    /// It makes the indexes.
    Indexing,
    /// It compares the new tables with those that answer.
    Comparing,
    /// It switches queries to them.
    Switching,
}

impl Phase {
    /// Its name, as in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Folding => "folding",
            Self::Indexing => "indexing",
            Self::Comparing => "comparing",
            Self::Switching => "switching",
        }
    }
}

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Records that are in the new tables, those of an earlier run too.
    pub folded: u64,
    /// Records in all.
    pub total: u64,
    /// How many were in the new tables when this run began.
    pub resumed_at: u64,
    /// Since this run began.
    pub elapsed: Duration,
    /// What it is at.
    pub phase: Phase,
}

impl Progress {
    /// Records folded per second, by this run.
    #[must_use]
    pub fn rate(&self) -> u64 {
        let micros = self.elapsed.as_micros().max(1);
        let folded = self.folded.saturating_sub(self.resumed_at);
        u64::try_from(u128::from(folded) * 1_000_000 / micros).unwrap_or(u64::MAX)
    }

    /// How long the rest will take at this rate; none while nothing is known.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let left = self.total.saturating_sub(self.folded);
        left.checked_div(self.rate()).map(Duration::from_secs)
    }
}

/// What a rebuild, or a switch back, did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Where it ended.
    pub progress: Progress,
    /// What was found when the new tables were compared with those that they replaced.
    pub compared: Vec<Compared>,
    /// The set that holds the tables that were replaced; none if there were none.
    pub kept: Option<String>,
}
