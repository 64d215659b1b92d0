//! What operators' commands ask of one partition, spread over turns so that nothing stalls.

use super::fold::{Delivery, Fold};
use hooklog_projections::configuration::{Action, Command};
use hooklog_projections::delivery::State;
use hooklog_schemas::control::Scope;
use hooklog_schemas::deliveries::{Because, Cancelled, CommandApplied, Requeued};
use hooklog_schemas::{DeliveryId, Event, EventId, SubscriptionId, Timestamp};
use std::collections::{HashMap, HashSet, VecDeque};
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
    current: Option<(EventId, u64)>,
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

    /// The next events, in order; `erase` starts an erasure and is told about it only once. For a
    /// deleted subscription nothing is tried again: no attempt would ever start.
    pub(super) fn next(
        &mut self,
        fold: &Fold,
        commands: &[Arc<Command>],
        deleted: &HashSet<SubscriptionId>,
        at: Timestamp,
        mut erase: impl FnMut(&Arc<Command>),
    ) -> Vec<Event> {
        if self.queue.is_empty() && self.current.is_none() {
            self.take_command(fold, commands, &mut erase);
        }
        let mut events = Vec::new();
        while events.len() < EFFECTS_MAX
            && let Some(effect) = self.queue.pop_front()
        {
            events.extend(effect.event(fold, deleted, at));
        }
        if self.queue.is_empty()
            && let Some((command, count)) = self.current.take()
        {
            events.push(CommandApplied { command, count, at }.into());
        }
        events
    }

    fn take_command(
        &mut self,
        fold: &Fold,
        commands: &[Arc<Command>],
        erase: &mut impl FnMut(&Arc<Command>),
    ) {
        let Some(command) = commands.get(self.seen) else {
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
        match &command.action {
            Action::Cancel(scope) => {
                let found = in_scope(fold, scope, open);
                self.queue.extend(found.into_iter().map(cancel));
            }
            Action::Redrive(scope) => {
                let found = in_scope(fold, scope, dead);
                let fresh = found
                    .into_iter()
                    .filter(|found| !fold.had_effect(id, *found));
                self.queue
                    .extend(fresh.map(|delivery| Effect::Requeue(delivery, id)));
            }
            // It is recorded as applied when the tombstones are written.
            Action::Erase(_) => return erase(command),
        }
        let count = u64::try_from(self.queue.len()).unwrap_or(u64::MAX);
        self.current = Some((id, count));
    }
}

impl Effect {
    /// The event, unless the delivery has moved on since the effect was planned.
    fn event(self, fold: &Fold, deleted: &HashSet<SubscriptionId>, at: Timestamp) -> Option<Event> {
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
                let live = !deleted.contains(&fold.subscription(delivery));
                (live && matches!(delivery.state, State::Dead { .. })).then(|| {
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
