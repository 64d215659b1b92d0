//! Starts attempts as far as limits allow.

use super::{News, Owner};
use crate::deliver::target::Target;
use crate::worker::attempt::Attempt;
use crate::worker::schedule::{Entry, Limits, Queue, Slot};
use hooklog_schemas::{Position, Topic};
use std::sync::Arc;

impl Owner {
    /// Starts everything that can start now.
    pub(super) fn dispatch(&mut self) {
        let now = self.parts.clock.now();
        while let Some((queue, entry)) = self.next_entry(now) {
            self.start(queue, entry);
        }
        self.show_in_flight();
    }

    fn next_entry(&mut self, now: hooklog_schemas::Timestamp) -> Option<(Queue, Entry)> {
        let Self {
            schedule,
            configuration,
            owned,
            in_flight,
            destinations,
            ..
        } = self;
        let limits = |queue: Queue| {
            let subscription = configuration
                .subscriptions
                .get(&queue.subscription)
                .filter(|s| !s.deleted)?;
            let held = match queue.elsewhere {
                None => subscription.paused,
                Some(aim) => match aim.set_by {
                    // Where it goes must be known.
                    Some(set_by) => subscription.paused || !destinations.reach(set_by.next()),
                    // Another URL was named on purpose: a pause of the subscriber is not about it.
                    None => false,
                },
            };
            Some(Limits {
                policy: &subscription.spec.policy,
                version: subscription.version,
                paused: held || configuration.deliveries_paused,
            })
        };
        let valid = |entry: &Entry| {
            let owned = owned.get(&entry.partition).filter(|owned| !owned.leaving);
            owned.is_some_and(|owned| owned.owes(entry, configuration))
                && !in_flight.contains_key(&entry.delivery)
        };
        schedule.start(now, limits, valid)
    }

    fn start(&mut self, queue: Queue, entry: Entry) {
        let Some(owned) = self.owned.get(&entry.partition) else {
            return;
        };
        let Some(delivery) = owned.fold.deliveries.get(&entry.delivery).copied() else {
            return;
        };
        let term = owned.term();
        let aim = owned.fold.aim(&delivery);
        let Some(target) = self.target(queue) else {
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
            slot: Slot {
                queue,
                replay: entry.replay,
            },
            again: aim.map(|aim| self.again(aim, delivery.receipt, queue.subscription)),
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
    fn target(&mut self, queue: Queue) -> Option<Arc<Target>> {
        let subscription = self.configuration.subscriptions.get(&queue.subscription)?;
        if let Some(target) = self.targets.get(&queue)
            && target.subscription().version == subscription.version
        {
            return Some(Arc::clone(target));
        }
        let (keyring, egress) = (&self.parts.keyring, &self.parts.egress);
        let target = match queue.elsewhere {
            None => Target::open(subscription, keyring, egress),
            Some(aim) => {
                let to = self.elsewhere(queue.subscription, aim);
                Target::elsewhere(subscription, to, keyring, egress)
            }
        };
        let target = Arc::new(target);
        self.targets.insert(queue, Arc::clone(&target));
        Some(target)
    }
}
