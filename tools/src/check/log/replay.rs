//! Replays as the log tells of them: what was asked, what each partition decided, and its end.

use hooklog_schemas::control::{ReplayRequested, ReplaySpec};
use hooklog_schemas::deliveries::{MatchOutcome, Routed};
use hooklog_schemas::{ReplayId, SubscriptionId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// A place in `webhooks`: partition and offset.
pub(crate) type Place = (u32, u64);

/// All replays, and what there was to replay.
#[derive(Debug, Default)]
pub(crate) struct Replays {
    /// By id.
    pub(crate) all: BTreeMap<ReplayId, Replay>,
    /// Whom each webhook was owed when it came, and when it was received.
    pub(crate) originals: BTreeMap<Place, (Timestamp, BTreeSet<SubscriptionId>)>,
}

/// One replay.
#[derive(Debug)]
pub(crate) struct Replay {
    /// What was asked.
    pub(crate) spec: ReplaySpec,
    /// It was given up.
    pub(crate) cancelled: bool,
    /// The decisions about each webhook: to whom, deleted ones too; none for one whose body was erased.
    pub(crate) decided: BTreeMap<Place, Vec<Option<BTreeSet<SubscriptionId>>>>,
    /// Partitions that told their end.
    pub(crate) finished: BTreeSet<u32>,
}

impl Replays {
    pub(super) fn ask(&mut self, asked: ReplayRequested) {
        let replay = Replay {
            spec: asked.spec,
            cancelled: false,
            decided: BTreeMap::new(),
            finished: BTreeSet::new(),
        };
        self.all.entry(asked.id).or_insert(replay);
    }

    pub(super) fn cancel(&mut self, id: ReplayId) {
        if let Some(replay) = self.all.get_mut(&id) {
            replay.cancelled = true;
        }
    }

    pub(super) fn finish(&mut self, id: ReplayId, partition: u32) {
        if let Some(replay) = self.all.get_mut(&id) {
            replay.finished.insert(partition);
        }
    }

    /// The first decision about a webhook that nobody asked for.
    pub(super) fn original(&mut self, place: Place, routed: &Routed) {
        let owed = routed.matches.iter();
        let owed = owed.filter(|one| one.outcome == MatchOutcome::Owed);
        let owed = owed.map(|one| one.subscription).collect();
        self.originals.insert(place, (routed.received_at, owed));
    }

    /// A decision whose cause is a replay.
    pub(super) fn decide(&mut self, place: Place, routed: &Routed) {
        let id: Option<ReplayId> = routed.cause.parse().ok();
        if let Some(replay) = id.and_then(|id| self.all.get_mut(&id)) {
            let to = routed.matches.iter().map(|one| one.subscription).collect();
            let to = routed.error.is_none().then_some(to);
            replay.decided.entry(place).or_default().push(to);
        }
    }
}
