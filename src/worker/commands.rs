//! What operators' commands ask of one partition, spread over turns so that nothing stalls.

use super::fold::{Delivery, Fold};
use hooklog_projections::configuration::{Action, Command, Configuration};
use hooklog_projections::delivery::State;
use hooklog_schemas::control::Scope;
use hooklog_schemas::deliveries::{Because, Cancelled, CommandApplied, Requeued};
use hooklog_schemas::{DeliveryId, Event, EventId, SubscriptionId, Timestamp};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Effects that one turn records at the most.
const EFFECTS_MAX: usize = 512;

/// The effects that are still to be recorded in one partition.
#[derive(Default)]
pub(super) struct Effects {
    queue: VecDeque<Effect>,
    /// Commands that were looked at, in the order of `control`.
    seen: usize,
    /// The command whose effects are in the queue.
    current: Option<Counted>,
}

/// A command, and what it found.
struct Counted {
    command: EventId,
    count: u64,
    left: u64,
}

enum Effect {
    Cancel(DeliveryId, Because),
    Requeue(DeliveryId, EventId),
}

impl Effects {
    /// Whether there is something to record.
    pub(super) fn waiting(&self, commands: &[Arc<Command>]) -> bool {
        !self.queue.is_empty() || self.current.is_some() || self.seen < commands.len()
    }

    /// Cancels what is open for subscriptions that these events deleted.
    pub(super) fn cancel_deleted(&mut self, fold: &Fold, by: &HashMap<SubscriptionId, EventId>) {
        let open = selected(fold, |delivery| {
            matches!(delivery.state, State::Open { .. })
                && by.contains_key(&fold.subscription(delivery))
        });
        for id in open {
            let delivery = fold.deliveries.get(&id);
            let event = delivery.and_then(|delivery| by.get(&fold.subscription(delivery)));
            let because = event.copied().map(Because::SubscriptionDeleted);
            self.queue
                .extend(because.map(|because| Effect::Cancel(id, because)));
        }
    }

    /// Cancels one delivery that is open although its subscription was deleted by this event.
    pub(super) fn cancel(&mut self, delivery: DeliveryId, by: EventId) {
        let because = Because::SubscriptionDeleted(by);
        self.queue.push_back(Effect::Cancel(delivery, because));
    }

    /// The next events, in order; `erase` starts an erasure and is told about it only once.
    pub(super) fn next(
        &mut self,
        fold: &Fold,
        configuration: &Configuration,
        at: Timestamp,
        mut erase: impl FnMut(&Arc<Command>),
    ) -> Vec<Event> {
        if self.queue.is_empty() && self.current.is_none() {
            self.take_command(fold, configuration, &mut erase);
        }
        let mut events = Vec::new();
        while events.len() < EFFECTS_MAX
            && let Some(effect) = self.queue.pop_front()
        {
            if effect.is_in_vain(fold, configuration) {
                self.leave_one();
            } else {
                events.extend(effect.event(fold, at));
            }
        }
        if self.queue.is_empty()
            && let Some(counted) = self.current.take()
        {
            let Counted {
                command,
                count,
                left,
            } = counted;
            let applied = CommandApplied {
                command,
                count,
                left,
                at,
            };
            events.push(applied.into());
        }
        events
    }

    /// The subscription was deleted after the command was looked at.
    const fn leave_one(&mut self) {
        if let Some(counted) = &mut self.current {
            counted.count = counted.count.saturating_sub(1);
            counted.left += 1;
        }
    }

    fn take_command(
        &mut self,
        fold: &Fold,
        configuration: &Configuration,
        erase: &mut impl FnMut(&Arc<Command>),
    ) {
        let Some(command) = configuration.commands.get(self.seen) else {
            return;
        };
        self.seen += 1;
        if fold.applied.contains(&command.id) {
            return;
        }
        let open = |delivery: &Delivery| matches!(delivery.state, State::Open { .. });
        let dead = |delivery: &Delivery| matches!(delivery.state, State::Dead { .. });
        let id = command.id;
        let cancel = |delivery| Effect::Cancel(delivery, Because::Command(id));
        let mut left = 0;
        match &command.action {
            Action::Cancel(scope) => {
                let found = in_scope(fold, scope, open);
                self.queue.extend(found.into_iter().map(cancel));
            }
            Action::Redrive(scope) => {
                let (gone, found): (Vec<_>, Vec<_>) = in_scope(fold, scope, dead)
                    .into_iter()
                    .filter(|found| !fold.had_effect(id, *found))
                    .partition(|found| is_of_deleted(fold, configuration, *found));
                left = u64::try_from(gone.len()).unwrap_or(u64::MAX);
                let requeue = |delivery| Effect::Requeue(delivery, id);
                self.queue.extend(found.into_iter().map(requeue));
            }
            Action::CancelReplay(replay) => {
                let of = |delivery: &Delivery| {
                    let aim = fold.aim(delivery);
                    open(delivery) && aim.is_some_and(|aim| aim.replay == *replay)
                };
                self.queue
                    .extend(selected(fold, of).into_iter().map(cancel));
            }
            // It is recorded as applied when the tombstones are written.
            Action::Erase(_) => return erase(command),
        }
        let count = u64::try_from(self.queue.len()).unwrap_or(u64::MAX);
        self.current = Some(Counted {
            command: id,
            count,
            left,
        });
    }
}

/// Nobody gets what a deleted subscription's dead letter holds: a redrive leaves it as it is.
fn is_of_deleted(fold: &Fold, configuration: &Configuration, delivery: DeliveryId) -> bool {
    let delivery = fold.deliveries.get(&delivery);
    let subscription = delivery.map(|delivery| fold.subscription(delivery));
    let known = subscription.and_then(|id| configuration.subscriptions.get(&id));
    known.is_some_and(|subscription| subscription.deleted)
}

impl Effect {
    /// Whether it would open a delivery that must be cancelled again.
    fn is_in_vain(&self, fold: &Fold, configuration: &Configuration) -> bool {
        matches!(self, Self::Requeue(id, _) if is_of_deleted(fold, configuration, *id))
    }

    /// The event, unless the delivery has moved on since the effect was planned.
    fn event(self, fold: &Fold, at: Timestamp) -> Option<Event> {
        match self {
            Self::Cancel(id, because) => {
                let delivery = fold.deliveries.get(&id)?;
                matches!(delivery.state, State::Open { .. }).then(|| {
                    let cancelled = Cancelled {
                        delivery: id,
                        receipt: delivery.receipt,
                        subscription: fold.subscription(delivery),
                        because,
                        at,
                    };
                    cancelled.into()
                })
            }
            Self::Requeue(id, command) => {
                let delivery = fold.deliveries.get(&id)?;
                matches!(delivery.state, State::Dead { .. }).then(|| {
                    let requeued = Requeued {
                        delivery: id,
                        receipt: delivery.receipt,
                        subscription: fold.subscription(delivery),
                        because: Because::Command(command),
                        at,
                    };
                    requeued.into()
                })
            }
        }
    }
}

fn in_scope(fold: &Fold, scope: &Scope, state: impl Fn(&Delivery) -> bool) -> Vec<DeliveryId> {
    if !scope.deliveries.is_empty() {
        let named = scope.deliveries.iter().copied();
        let fits = |id: &DeliveryId| {
            let delivery = fold.deliveries.get(id);
            delivery.is_some_and(|d| state(d) && covers(fold, scope, d))
        };
        return named.filter(fits).collect();
    }
    selected(fold, |delivery| {
        state(delivery) && covers(fold, scope, delivery)
    })
}

/// An empty scope covers nothing: everything must be said.
fn covers(fold: &Fold, scope: &Scope, delivery: &Delivery) -> bool {
    let said = scope.all
        || scope.subscription.is_some()
        || scope.from.is_some()
        || scope.to.is_some()
        || !scope.deliveries.is_empty();
    let subscription = scope
        .subscription
        .is_none_or(|id| fold.subscription(delivery) == id);
    let from = scope.from.is_none_or(|from| delivery.received_at >= from);
    let to = scope.to.is_none_or(|to| delivery.received_at < to);
    said && subscription && from && to
}

/// In the order of the webhooks, so that two runs do the same.
fn selected(fold: &Fold, wanted: impl Fn(&Delivery) -> bool) -> Vec<DeliveryId> {
    let found = fold
        .deliveries
        .iter()
        .filter(|(_, delivery)| wanted(delivery));
    let mut found: Vec<_> = found
        .map(|(id, delivery)| (delivery.webhook, *id))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, id)| id).collect()
}
