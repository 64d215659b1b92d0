//! Starts attempts as far as limits allow.

use super::{News, Owner};
use crate::deliver::target::Target;
use crate::worker::attempt::Attempt;
use crate::worker::schedule::{Entry, Limits};
use hooklog_projections::delivery::State;
use hooklog_schemas::{Position, SubscriptionId, Topic};
use std::sync::Arc;

impl Owner {
    /// Starts everything that can start now.
    pub(super) fn dispatch(&mut self) {
        let now = self.parts.clock.now();
        while let Some((subscription, entry)) = self.next_entry(now) {
            self.start(subscription, entry);
        }
        self.show_in_flight();
    }

    fn next_entry(&mut self, now: hooklog_schemas::Timestamp) -> Option<(SubscriptionId, Entry)> {
        let Self {
            schedule,
            configuration,
            owned,
            in_flight,
            ..
        } = self;
        let limits = |id: SubscriptionId| {
            let subscription = configuration
                .subscriptions
                .get(&id)
                .filter(|s| !s.deleted)?;
            Some(Limits {
                policy: &subscription.spec.policy,
                version: subscription.version,
                paused: subscription.paused || configuration.deliveries_paused,
            })
        };
        let valid = |entry: &Entry| {
            let owned = owned.get(&entry.partition).filter(|owned| !owned.leaving);
            let delivery = owned.and_then(|owned| owned.fold.deliveries.get(&entry.delivery));
            delivery.is_some_and(|delivery| delivery.state == State::Open { due: entry.due })
                && !in_flight.contains_key(&entry.delivery)
        };
        schedule.start(now, limits, valid)
    }

    fn start(&mut self, subscription: SubscriptionId, entry: Entry) {
        let Some(owned) = self.owned.get(&entry.partition) else {
            return;
        };
        let Some(delivery) = owned.fold.deliveries.get(&entry.delivery).copied() else {
            return;
        };
        let term = owned.term();
        let Some(target) = self.target(subscription) else {
            return;
        };
        self.in_flight.insert(entry.delivery, entry.partition);
        let attempt = Attempt {
            term,
            delivery: entry.delivery,
            receipt: delivery.receipt,
            number: delivery.attempts + 1,
            webhook: Position::new(Topic::Webhooks, entry.partition, delivery.webhook),
            record: self
                .fresh
                .get(&(entry.partition, delivery.webhook))
                .cloned(),
            erased: self.erased.contains(&delivery.receipt),
            target,
            configuration: self.current_version(),
        };
        let around = Arc::clone(&self.around);
        let tell = self.tell.clone();
        tokio::spawn(async move {
            let finished = attempt.run(&around).await;
            // An error says that the owner has stopped: the next one tries again.
            let _ = tell.send(News::Finished(Box::new(finished)));
        });
    }

    /// The destination with its keys opened, once per version of the subscription.
    fn target(&mut self, id: SubscriptionId) -> Option<Arc<Target>> {
        let subscription = self.configuration.subscriptions.get(&id)?;
        if let Some(target) = self.targets.get(&id)
            && target.subscription().version == subscription.version
        {
            return Some(Arc::clone(target));
        }
        let target = Target::open(subscription, &self.parts.keyring, &self.parts.egress);
        let target = Arc::new(target);
        self.targets.insert(id, Arc::clone(&target));
        Some(target)
    }
}
