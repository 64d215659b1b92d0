//! What one partition owes: the fold of its `deliveries`, in log order.
//!
//! Pure: the same records give the same state, in this process, in another, and from a snapshot.

mod interned;
mod marks;
mod prefix;
mod replays;

pub(super) use marks::BLOCK;
pub use replays::Aim;
pub(super) use replays::Replayed;

use interned::Interned;
use marks::Marks;
use prefix::Prefix;
use replays::Replays;

use super::snapshot::Saved;

use hooklog_projections::delivery::{State, Step, next};
use hooklog_schemas::control::ConfigurationVersion;
use hooklog_schemas::deliveries::{
    Attempted, Because, Cancelled, CommandApplied, LIVE, MatchOutcome, Requeued, Routed, Verdict,
};
use hooklog_schemas::{
    DecodeError, DeliveryId, Event, EventId, Offset, ReceiptId, Record, ReplayId, SubscriptionId,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// One partition as folded. Only what is open or dead is remembered; the rest is history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    /// The next offset of `deliveries` to fold.
    pub next: Offset,
    /// The offset of the last `partition.acquired`.
    pub epoch: Option<Offset>,
    /// The webhooks that have their decision.
    pub(super) routed: Prefix,
    /// The newest configuration that any decision used.
    pub configuration: Option<ConfigurationVersion>,
    /// Open and dead deliveries.
    pub deliveries: HashMap<DeliveryId, Delivery>,
    /// Commands that took effect here.
    pub applied: BTreeSet<EventId>,
    /// What commands did here that are not recorded as applied yet.
    effects: BTreeSet<(EventId, DeliveryId)>,
    subscriptions: Interned<SubscriptionId>,
    aims: Interned<Aim>,
    /// Where the decisions stand.
    pub(super) marks: Marks,
    /// Replays that have begun.
    pub(super) replays: Replays,
    /// Steps that changed nothing, such as late evidence.
    pub idle_steps: u64,
}

/// A delivery that is open or dead. It is small on purpose: there may be millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its receipt.
    pub receipt: ReceiptId,
    /// Its webhook's offset in the `webhooks` partition of the same number.
    pub webhook: Offset,
    /// When the webhook was received.
    pub received_at: Timestamp,
    /// Where it stands.
    pub state: State,
    /// Attempts so far; a redrive counts from 0 again.
    pub attempts: u32,
    subscription: u32,
    /// 0 for live ones, else one more than the number of its aim.
    aim: u32,
}

/// What folding one event did to a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its subscription.
    pub subscription: SubscriptionId,
    /// What it is sent to beside it, if a replay owes it.
    pub aim: Option<Aim>,
    /// Where it stands now.
    pub state: State,
}

impl Fold {
    /// Folds one record, and tells what changed.
    ///
    /// # Errors
    /// When this release does not understand the record.
    pub fn apply(&mut self, record: &Record) -> Result<Vec<Change>, DecodeError> {
        let event = Event::decode(record)?;
        let mut changes = Vec::new();
        self.apply_event(record.position.offset, record.epoch, &event, &mut changes);
        Ok(changes)
    }

    /// Folds one event that stands at `offset`, and adds what changed to `changes`.
    pub fn apply_event(
        &mut self,
        offset: Offset,
        epoch: Option<Offset>,
        event: &Event,
        changes: &mut Vec<Change>,
    ) {
        self.next = offset.next();
        // An owner that was succeeded decides nothing any more.
        let current = epoch >= self.epoch;
        match event {
            Event::Acquired(_) => self.epoch = self.epoch.max(Some(offset)),
            Event::Routed(routed) if current => self.routed(offset, routed, changes),
            Event::Attempted(attempted) => self.attempted(attempted, current, changes),
            Event::Requeued(requeued) if current => self.requeued(requeued, changes),
            Event::Cancelled(cancelled) if current => self.cancelled(cancelled, changes),
            Event::CommandApplied(applied) if current => self.command_applied(applied),
            Event::ReplayStarted(started) if current => self.replays.started(started),
            Event::ReplayProgressed(further) if current => self.replays.progressed(further),
            Event::ReplayFinished(finished) if current => self.replays.finished(finished),
            _ => {}
        }
    }

    /// The subscription of a delivery.
    #[must_use]
    pub fn subscription(&self, delivery: &Delivery) -> SubscriptionId {
        let known = self.subscriptions.value(delivery.subscription);
        known.unwrap_or(SubscriptionId(Uuid::nil()))
    }

    /// What a delivery is sent to beside its subscription; none unless a replay owes it.
    #[must_use]
    pub fn aim(&self, delivery: &Delivery) -> Option<Aim> {
        self.aims.value(delivery.aim.checked_sub(1)?)
    }

    /// Whether a command that is not applied yet has already had its effect on a delivery.
    #[must_use]
    pub fn had_effect(&self, command: EventId, delivery: DeliveryId) -> bool {
        self.effects.contains(&(command, delivery))
    }

    /// A copy that another thread can write.
    pub(super) fn save(&self) -> Saved {
        let head = Self {
            next: self.next,
            epoch: self.epoch,
            routed: self.routed.clone(),
            configuration: self.configuration,
            deliveries: HashMap::new(),
            applied: self.applied.clone(),
            effects: self.effects.clone(),
            subscriptions: self.subscriptions.clone(),
            aims: self.aims.clone(),
            marks: self.marks.clone(),
            replays: self.replays.clone(),
            idle_steps: self.idle_steps,
        };
        let deliveries = self
            .deliveries
            .iter()
            .map(|(id, delivery)| (*id, *delivery));
        let deliveries = deliveries.collect();
        Saved { head, deliveries }
    }

    /// Notes the decision; tells whether it is the first about its webhook for its cause.
    fn decided(&mut self, offset: Offset, routed: &Routed, replay: Option<ReplayId>) -> bool {
        match replay {
            Some(replay) => self.replays.decided(replay, routed.webhook),
            // A cause that is none is nobody's.
            None if routed.cause != LIVE => false,
            None => {
                let first = self.routed.insert(routed.webhook);
                if first {
                    self.marks.add(routed.webhook, offset, self.epoch);
                    self.configuration = self.configuration.max(Some(routed.configuration));
                }
                first
            }
        }
    }

    fn routed(&mut self, offset: Offset, routed: &Routed, changes: &mut Vec<Change>) {
        let replay: Option<ReplayId> = (routed.cause != LIVE)
            .then(|| routed.cause.parse().ok())
            .flatten();
        if !self.decided(offset, routed, replay) {
            self.idle_steps += 1;
            return;
        }
        let owed = |outcome| matches!(outcome, MatchOutcome::Owed);
        for found in routed.matches.iter().filter(|found| owed(found.outcome)) {
            let state = State::Open { due: routed.at };
            let set_by = found.set_by;
            let aim = replay.map(|replay| Aim { replay, set_by });
            let delivery = Delivery {
                receipt: routed.receipt,
                webhook: routed.webhook,
                received_at: routed.received_at,
                state,
                attempts: 0,
                subscription: self.subscriptions.number(found.subscription),
                aim: aim.map_or(0, |aim| self.aims.number(aim) + 1),
            };
            self.deliveries.entry(found.delivery).or_insert(delivery);
            changes.push(Change {
                delivery: found.delivery,
                subscription: found.subscription,
                aim,
                state,
            });
        }
    }

    fn attempted(&mut self, attempted: &Attempted, current: bool, changes: &mut Vec<Change>) {
        if !current && attempted.verdict != Verdict::Delivered {
            self.idle_steps += 1;
            return;
        }
        let number = attempted.number;
        let ended = attempted
            .started_at
            .plus(std::time::Duration::from_micros(attempted.duration_us));
        let step = Step::Attempted(&attempted.verdict, ended);
        self.step(attempted.delivery, step, Some(number), changes);
    }

    fn requeued(&mut self, requeued: &Requeued, changes: &mut Vec<Change>) {
        self.remember_effect(&requeued.because, requeued.delivery);
        let step = Step::Requeued(requeued.at);
        self.step(requeued.delivery, step, Some(0), changes);
    }

    fn cancelled(&mut self, cancelled: &Cancelled, changes: &mut Vec<Change>) {
        self.remember_effect(&cancelled.because, cancelled.delivery);
        self.step(cancelled.delivery, Step::Cancelled, None, changes);
    }

    fn step(
        &mut self,
        id: DeliveryId,
        step: Step<'_>,
        attempts: Option<u32>,
        changes: &mut Vec<Change>,
    ) {
        let Some(delivery) = self.deliveries.get_mut(&id) else {
            self.idle_steps += 1;
            return;
        };
        let Some(state) = next(delivery.state, step) else {
            self.idle_steps += 1;
            return;
        };
        delivery.state = state;
        delivery.attempts = attempts.unwrap_or(delivery.attempts);
        let known = *delivery;
        if matches!(state, State::Delivered | State::Cancelled) {
            self.deliveries.remove(&id);
        }
        changes.push(Change {
            delivery: id,
            subscription: self.subscription(&known),
            aim: self.aim(&known),
            state,
        });
    }

    fn remember_effect(&mut self, because: &Because, delivery: DeliveryId) {
        if let Because::Command(command) = because {
            self.effects.insert((*command, delivery));
        }
    }

    fn command_applied(&mut self, applied: &CommandApplied) {
        self.applied.insert(applied.command);
        self.effects
            .retain(|(command, _)| *command != applied.command);
    }
}

#[cfg(test)]
mod tests;
