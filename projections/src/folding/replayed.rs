//! The fold of replays: how far each partition has come, and what became of what it owes.

use super::{Decoded, Folding};
use crate::delivery::State;
use crate::replays::{Progress, Replayed};
use hooklog_schemas::deliveries::{LIVE, MatchOutcome, Passed, Routed};
use hooklog_schemas::{Event, ReplayId};

impl Folding {
    pub(super) fn fold_progress(&mut self, decoded: &Decoded) {
        // Who was followed by another owner decides nothing any more, how far it came neither.
        if self.is_late(decoded) {
            return;
        }
        match &decoded.event {
            Event::ReplayStarted(e) => {
                let progress = self.replayed(decoded, e.replay);
                progress.reached(e.from.0, [0; 3]);
                progress.started_at.get_or_insert(e.at.0);
            }
            Event::ReplayProgressed(e) => {
                let progress = self.replayed(decoded, e.replay);
                progress.reached(e.next.0, numbers(e.passed));
            }
            Event::ReplayFinished(e) => {
                let progress = self.replayed(decoded, e.replay);
                progress.reached(0, numbers(e.passed));
                progress.finished_at.get_or_insert(e.at.0);
            }
            _ => {}
        }
    }

    /// What an effective decision of a replay leaves out.
    pub(super) fn count_left_out(&mut self, decoded: &Decoded, routed: &Routed) {
        let Some(replay) = replay_of(&routed.cause) else {
            return;
        };
        let gone = |outcome| outcome == MatchOutcome::SubscriptionDeleted;
        let left_out = routed.matches.iter().filter(|m| gone(m.outcome)).count();
        let skipped = i64::from(routed.error.is_some());
        let progress = self.replayed(decoded, replay);
        progress.count(Replayed::Skipped, skipped);
        let left_out = i64::try_from(left_out).unwrap_or(i64::MAX);
        progress.count(Replayed::LeftOut, left_out);
    }

    /// A delivery became what it is now; it was `before`, or was not there.
    pub(super) fn count_replayed(
        &mut self,
        decoded: &Decoded,
        id: [u8; 16],
        before: Option<State>,
    ) {
        let Some(held) = self.memory.deliveries.get(&id) else {
            return;
        };
        let after = held.delivery.state;
        let Some(replay) = replay_of(&held.delivery.cause) else {
            return;
        };
        let progress = self.replayed(decoded, replay);
        match before {
            None => progress.count(Replayed::Owed, 1),
            Some(before) => {
                if let Some(was) = ended(before) {
                    progress.count(was, -1);
                }
                if let Some(is) = ended(after) {
                    progress.count(is, 1);
                }
            }
        }
    }

    fn replayed(&mut self, decoded: &Decoded, replay: ReplayId) -> &mut Progress {
        let key = (replay.0.into_bytes(), decoded.position.partition.0);
        self.memory.new_progress.entry(key).or_default()
    }
}

/// The replay that is a cause; none where it is the webhook itself.
fn replay_of(cause: &str) -> Option<ReplayId> {
    (cause != LIVE).then(|| cause.parse().ok()).flatten()
}

const fn ended(state: State) -> Option<Replayed> {
    match state {
        State::Open { .. } => None,
        State::Delivered => Some(Replayed::Delivered),
        State::Dead { .. } => Some(Replayed::Dead),
        State::Cancelled => Some(Replayed::Cancelled),
    }
}

const fn numbers(passed: Passed) -> [u64; 3] {
    [passed.filtered, passed.unmatched, passed.repeats]
}
