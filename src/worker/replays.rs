//! One partition's part of a replay, while it is under way here: how far, how fast, what is planned.
//!
//! Pure: time is handed in. What it decides stands in the log; all of this can be lost.

use super::fold::{BLOCK, Replayed};
use crate::replay::Planned;
use hooklog_projections::configuration::Replay;
use hooklog_schemas::control::ReplayRange;
use hooklog_schemas::deliveries::Passed;
use hooklog_schemas::{Offset, Partition, Timestamp};
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

/// Receipts after which progress is recorded.
const NOTE_AFTER: u64 = 256;
/// The time after which progress is recorded, if there was any.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// Planned receipts that are looked at in one turn.
const TAKE_MAX: usize = 256;

/// The part of a replay that a partition has.
pub(super) struct Part {
    range: ReplayRange,
    /// The next webhook to decide about.
    cursor: Offset,
    /// What was passed over before `cursor`.
    passed: Passed,
    pace: Pace,
    planned: VecDeque<Planned>,
    /// Where the plan ends, or will.
    planned_to: Offset,
    /// Somebody is planning.
    planning: bool,
    noted: Offset,
    noted_at: Timestamp,
}

impl Part {
    /// The part of `partition`, from where its fold says that it is.
    pub(super) fn begin(
        replay: &Replay,
        partition: Partition,
        replayed: Option<&Replayed>,
        now: Timestamp,
    ) -> Self {
        let range = range(replay, partition);
        let next = replayed.map_or(range.from, |replayed| replayed.next.max(range.from));
        Self {
            range,
            cursor: next,
            passed: replayed.map_or_else(Passed::default, |replayed| replayed.passed),
            pace: Pace::new(replay, range, now),
            planned: VecDeque::new(),
            planned_to: next,
            planning: false,
            noted: next,
            noted_at: now,
        }
    }

    /// The webhooks to plan next: up to the end of a block, whose decisions stand together. None while
    /// there are planned ones, or somebody plans.
    pub(super) fn begin_plan(&mut self) -> Option<Range<Offset>> {
        if self.planning || !self.planned.is_empty() || self.planned_to >= self.range.to {
            return None;
        }
        let block = Offset((self.planned_to.0 / BLOCK + 1) * BLOCK);
        let to = block.min(self.range.to);
        self.planning = true;
        Some(std::mem::replace(&mut self.planned_to, to)..to)
    }

    /// Takes a plan in.
    pub(super) fn plan(&mut self, planned: Vec<Planned>) {
        self.planning = false;
        self.planned = planned.into();
        if self.planned.is_empty() {
            self.cursor = self.planned_to;
        }
    }

    /// The receipts that can be decided now, as far as `owed` of those before says how much they owe.
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        mut decide: impl FnMut(Planned, &mut Passed) -> u64,
    ) {
        self.pace.earn(now);
        for _ in 0..TAKE_MAX {
            if !self.pace.may() {
                return;
            }
            let Some(planned) = self.planned.pop_front() else {
                return;
            };
            self.cursor = planned.webhook.next();
            let owed = decide(planned, &mut self.passed);
            self.pace.spend(owed);
            if self.planned.is_empty() {
                self.cursor = self.planned_to;
            }
        }
    }

    /// How far it is, if that is to be recorded now: everything before is decided and folded.
    pub(super) fn note(&mut self, now: Timestamp) -> Option<(Offset, Passed)> {
        let further = self.cursor.0 - self.noted.0;
        let due = further >= NOTE_AFTER || now.since(self.noted_at) >= NOTE_EVERY;
        if further == 0 || !due || self.is_done() {
            return None;
        }
        self.noted = self.cursor;
        self.noted_at = now;
        Some((self.cursor, self.passed))
    }

    /// Whether its whole range is decided.
    pub(super) const fn is_done(&self) -> bool {
        self.cursor.0 >= self.range.to.0
    }

    pub(super) const fn passed(&self) -> Passed {
        self.passed
    }
}

/// The part of a partition; an empty one if it has none.
pub(super) fn range(replay: &Replay, partition: Partition) -> ReplayRange {
    let place = usize::try_from(partition.0).unwrap_or(usize::MAX);
    replay.spec.range.get(place).copied().unwrap_or_default()
}

/// A partition's share of the rate: as its part is of the whole. So all come to their end at about
/// the same time, and nobody has to ask the others.
struct Pace {
    /// Earned in a microsecond.
    rate: i128,
    /// What one delivery costs.
    cost: i128,
    earned: i128,
    at: Timestamp,
}

impl Pace {
    fn new(replay: &Replay, range: ReplayRange, now: Timestamp) -> Self {
        let cost = 1_000_000 * i128::from(replay.total().max(1));
        Self {
            rate: i128::from(replay.spec.rate_per_second) * i128::from(range.len()),
            cost,
            // The first delivery goes at once.
            earned: cost,
            at: now,
        }
    }

    /// No more than a second's worth, or one delivery, is kept for later.
    fn earn(&mut self, now: Timestamp) {
        let micros = i128::from(now.0.saturating_sub(self.at.0).max(0));
        self.at = now;
        let most = (self.rate * 1_000_000).max(self.cost);
        let earned = micros.saturating_mul(self.rate);
        self.earned = self.earned.saturating_add(earned).min(most);
    }

    const fn may(&self) -> bool {
        self.earned >= self.cost
    }

    /// A receipt may owe several deliveries: the next ones wait for that.
    fn spend(&mut self, owed: u64) {
        self.earned = self.earned.saturating_sub(i128::from(owed) * self.cost);
    }
}

#[cfg(test)]
mod tests;
