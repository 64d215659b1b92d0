//! How far one partition has come with each replay, and what its open deliveries belong to.

use hooklog_schemas::deliveries::{Passed, ReplayFinished, ReplayProgressed, ReplayStarted};
use hooklog_schemas::{Offset, ReplayId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a replay's delivery is sent to, beside its subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Aim {
    /// The replay: the cause of the delivery.
    pub replay: ReplayId,
    /// The event of `control` that set the destination, where it is not the subscription's present
    /// one.
    pub set_by: Option<Offset>,
}

/// All replays that have begun in a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::worker) struct Replays(BTreeMap<ReplayId, Replayed>);

/// How far a partition has come with one replay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::worker) struct Replayed {
    /// All before it is decided or was passed over.
    pub(in crate::worker) next: Offset,
    /// What was passed over before `next`.
    pub(in crate::worker) passed: Passed,
    /// The whole part is decided.
    pub(in crate::worker) finished: bool,
    /// Webhooks from `next` on that are decided. A record of progress empties it.
    decided: BTreeSet<Offset>,
}

impl Replays {
    pub(in crate::worker) fn get(&self, replay: ReplayId) -> Option<&Replayed> {
        self.0.get(&replay)
    }

    /// Notes a decision; tells whether it is the first about this webhook.
    pub(super) fn decided(&mut self, replay: ReplayId, webhook: Offset) -> bool {
        let replayed = self.0.entry(replay).or_default();
        !replayed.is_decided(webhook) && replayed.decided.insert(webhook)
    }

    pub(super) fn started(&mut self, event: &ReplayStarted) {
        let replayed = self.0.entry(event.replay).or_default();
        replayed.reached(event.from);
    }

    pub(super) fn progressed(&mut self, event: &ReplayProgressed) {
        let replayed = self.0.entry(event.replay).or_default();
        replayed.reached(event.next);
        replayed.passed = event.passed;
    }

    pub(super) fn finished(&mut self, event: &ReplayFinished) {
        let replayed = self.0.entry(event.replay).or_default();
        replayed.finished = true;
        replayed.passed = event.passed;
        replayed.decided.clear();
    }
}

impl Replayed {
    /// Whether the replay has its decision about a webhook, or passed it over.
    pub(in crate::worker) fn is_decided(&self, webhook: Offset) -> bool {
        self.finished || webhook < self.next || self.decided.contains(&webhook)
    }

    fn reached(&mut self, next: Offset) {
        self.next = self.next.max(next);
        self.decided = self.decided.split_off(&self.next);
    }
}
