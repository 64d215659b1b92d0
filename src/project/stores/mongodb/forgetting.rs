//! When what was replaced may go: as soon as nobody reads it any more.
//!
//! Who reads has a state of the tables, and nobody knows who that is. So every answer ends, or is
//! given up, within a time, and what was replaced stays for longer than that. Both are measured
//! where they happen, and a clock may stand still: so it is said in the state before anything goes,
//! and who reads looks there when it has read.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long an answer may go on reading one state of the tables.
pub(super) const ANSWER: Duration = Duration::from_secs(60);

/// How long what was replaced stays.
pub(super) const KEPT: Duration = Duration::from_secs(90);

/// How often somebody looks what may go.
const EVERY: Duration = Duration::from_secs(15);

/// Writes that replaced something, and since when nobody begins to read what they replaced.
#[derive(Debug)]
pub(super) struct Forgetting {
    kept: Duration,
    every: Duration,
    writes: VecDeque<(Instant, i64)>,
    looked: Instant,
    /// Up to this write it was looked what those left that never counted.
    pub(super) swept: i64,
}

impl Forgetting {
    /// Of tables that others read.
    pub(super) fn of_live() -> Self {
        Self::after(KEPT, EVERY)
    }

    /// Of tables that nobody reads yet.
    pub(super) fn of_build() -> Self {
        Self::after(Duration::ZERO, EVERY)
    }

    pub(super) fn after(kept: Duration, every: Duration) -> Self {
        Self {
            kept,
            every,
            writes: VecDeque::new(),
            looked: Instant::now(),
            swept: 0,
        }
    }

    /// The write `number` counts since now.
    pub(super) fn note(&mut self, number: i64) {
        self.writes.push_back((Instant::now(), number));
    }

    /// The last write whose replaced rows may go, if it is time to look; and whether it is.
    pub(super) fn look(&mut self) -> Option<i64> {
        if self.looked.elapsed() < self.every {
            return None;
        }
        self.looked = Instant::now();
        let kept = self.kept;
        let over = |(since, _): &mut (Instant, i64)| since.elapsed() >= kept;
        let mut last = 0;
        while let Some((_, number)) = self.writes.pop_front_if(over) {
            last = number;
        }
        Some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_replaced_goes_when_its_time_is_over() {
        let mut forgetting = Forgetting::after(Duration::ZERO, Duration::ZERO);
        assert_eq!(forgetting.look(), Some(0));
        forgetting.note(3);
        forgetting.note(5);
        assert_eq!(forgetting.look(), Some(5));
        assert_eq!(forgetting.look(), Some(0));
        let mut kept = Forgetting::after(KEPT, Duration::ZERO);
        kept.note(3);
        assert_eq!(kept.look(), Some(0));
        let mut seldom = Forgetting::after(Duration::ZERO, EVERY);
        seldom.note(3);
        assert_eq!(seldom.look(), None);
    }
}
