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
    /// What partitions told of replays that were not read yet: a dump has `control` last.
    early: BTreeMap<ReplayId, Told>,
}

/// What partitions tell of a replay.
#[derive(Debug, Default)]
struct Told {
    decided: BTreeMap<Place, Vec<Option<BTreeSet<SubscriptionId>>>>,
    finished: BTreeSet<u32>,
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
        let Told { decided, finished } = self.early.remove(&asked.id).unwrap_or_default();
        let replay = Replay {
            spec: asked.spec,
            cancelled: false,
            decided,
            finished,
        };
        self.all.entry(asked.id).or_insert(replay);
    }

    pub(super) fn cancel(&mut self, id: ReplayId) {
        if let Some(replay) = self.all.get_mut(&id) {
            replay.cancelled = true;
        }
    }

    pub(super) fn finish(&mut self, id: ReplayId, partition: u32) {
        let finished = match self.all.get_mut(&id) {
            Some(replay) => &mut replay.finished,
            None => &mut self.early.entry(id).or_default().finished,
        };
        finished.insert(partition);
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
        let Ok(id) = routed.cause.parse::<ReplayId>() else {
            return;
        };
        let decided = match self.all.get_mut(&id) {
            Some(replay) => &mut replay.decided,
            None => &mut self.early.entry(id).or_default().decided,
        };
        let to = routed.matches.iter().map(|one| one.subscription).collect();
        let to = routed.error.is_none().then_some(to);
        decided.entry(place).or_default().push(to);
    }
}
