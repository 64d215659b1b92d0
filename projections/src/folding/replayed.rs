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
        let left_out = i64::try_from(left_out).unwrap_or(i64::MAX);
        let skipped = i64::from(routed.error.is_some());
        if left_out + skipped > 0 {
            let progress = self.replayed(decoded, replay);
            progress.count(Replayed::Skipped, skipped);
            progress.count(Replayed::LeftOut, left_out);
        }
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
        let (was, is) = (before.and_then(ended), ended(after));
        let owed = before.is_none().then_some(Replayed::Owed);
        if was == is && owed.is_none() {
            return;
        }
        let progress = self.replayed(decoded, replay);
        for (what, by) in [(owed, 1), (was, -1), (is, 1)] {
            if let Some(what) = what {
                progress.count(what, by);
            }
        }
    }

    fn replayed(&mut self, decoded: &Decoded, replay: ReplayId) -> &mut Progress {
        let position = decoded.position;
        let key = (replay.0.into_bytes(), position.partition.0);
        self.memory.replayed(key, position.offset.0)
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
