//! Appends a turn's events, and folds up to them in the order of the log.

use super::route::SIGNATURE;
use super::{Batch, Owner, WorkerError};
use crate::log::AppendError;
use crate::worker::identities::Marks;
use crate::worker::schedule::Entry;
use hooklog_projections::delivery::State;
use hooklog_schemas::deliveries::{Routed, Verdict};
use hooklog_schemas::{Event, Offset, Partition, Position, Record, Topic};
use std::time::Duration;

/// How long to wait for space before the append is tried again.
const SPACE_WAIT: Duration = Duration::from_millis(500);

impl Owner {
    /// Appends `batch`, and folds every partition up to what was appended.
    pub(super) async fn record(&mut self, batch: Batch) -> Result<(), WorkerError> {
        if batch.is_empty() {
            return Ok(());
        }
        let offsets = self.append(&batch).await?;
        let mut by_partition: Vec<Vec<(Offset, Event)>> = Vec::new();
        by_partition.resize_with(self.owned.len(), Vec::new);
        for ((partition, event), offset) in batch.events.into_iter().zip(offsets) {
            if let Some(events) = by_partition.get_mut(index(partition)) {
                events.push((offset, event));
            }
        }
        for (number, events) in by_partition.into_iter().enumerate() {
            self.fold_own(number, events).await?;
            if let Some(partition) = self.owned.get(number).map(|owned| owned.partition) {
                self.schedule_changes(partition);
            }
        }
        Ok(self.identities.commit()?)
    }

    pub(super) async fn append(&self, batch: &Batch) -> Result<Vec<Offset>, WorkerError> {
        let at = self.parts.clock.now();
        let epoch = |partition| {
            self.owned
                .get(index(partition))
                .and_then(|owned| owned.epoch)
        };
        loop {
            let appends = batch.appends(at, epoch);
            match self.parts.log.append(Topic::Deliveries, appends).await {
                // Nothing was written, so the same may be appended again once there is space.
                Err(AppendError::NoSpace(reason)) => {
                    tracing::error!(reason, "the log has no space for decisions and outcomes");
                    tokio::time::sleep(SPACE_WAIT).await;
                }
                result => return Ok(result?),
            }
        }
    }

    /// Folds one record that was read; tells the decision that the identities did not know.
    pub(super) fn fold_record(
        &mut self,
        number: usize,
        record: &Record,
    ) -> Result<Option<Routed>, WorkerError> {
        let event = Event::decode(record)?;
        let decided = |owner: &Self, webhook| {
            let owned = owner.owned.get(number);
            owned.is_some_and(|owned| owned.fold.routed.contains(webhook))
        };
        let before = matches!(&event, Event::Routed(routed) if decided(self, routed.webhook));
        self.fold_event(number, record.position.offset, record.epoch, &event)?;
        let Event::Routed(routed) = event else {
            return Ok(None);
        };
        // A decision that counts for nothing is no evidence of an earlier receipt.
        let counts = !before && decided(self, routed.webhook);
        let partition = record.position.partition;
        let fresh = counts && self.identities.replay(partition, &routed)?;
        Ok(fresh.then_some(*routed))
    }

    /// Adds signatures to what was replayed into an index that has those of all other webhooks.
    pub(super) async fn replay_signatures(
        &mut self,
        partition: Partition,
        fresh: Vec<Routed>,
    ) -> Result<(), WorkerError> {
        if !self.identities.is_complete() {
            return Ok(());
        }
        for routed in fresh {
            let position = Position::new(Topic::Webhooks, partition, routed.webhook);
            if let Some(webhook) = self.webhook(position).await? {
                let signature = webhook.header(SIGNATURE).map(|value| &value[..]);
                let marks = Marks::new(partition, &routed, signature);
                self.identities
                    .replay_signature(&marks, routed.received_at)?;
            }
        }
        Ok(())
    }

    /// Folds what this owner appended. If nothing of others lies between, it need not be read.
    async fn fold_own(
        &mut self,
        number: usize,
        events: Vec<(Offset, Event)>,
    ) -> Result<(), WorkerError> {
        let Some(owned) = self.owned.get(number) else {
            return Ok(());
        };
        let epoch = owned.epoch;
        let expected = (owned.fold.next.0..).map(Offset);
        if events
            .iter()
            .zip(expected)
            .any(|((offset, _), expected)| *offset != expected)
        {
            return self.catch_up(number).await;
        }
        for (offset, event) in &events {
            self.fold_event(number, *offset, epoch, event)?;
        }
        Ok(())
    }

    fn fold_event(
        &mut self,
        number: usize,
        offset: Offset,
        epoch: Option<Offset>,
        event: &Event,
    ) -> Result<(), WorkerError> {
        let Some(owned) = self.owned.get_mut(number) else {
            return Ok(());
        };
        let before = self.changes.len();
        owned
            .fold
            .apply_event(offset, epoch, event, &mut self.changes);
        let effective = self.changes.len() > before;
        match event {
            Event::Cancelled(cancelled) if effective => {
                self.identities.cancelled(cancelled.delivery, cancelled.at);
            }
            Event::Attempted(late) if !effective && late.verdict == Verdict::Delivered => {
                let took = Duration::from_micros(late.duration_us);
                let ended = late.started_at.plus(took);
                self.identities.delivered_late(late.delivery, ended)?;
            }
            _ => {}
        }
        owned.check_epoch()
    }

    /// Puts what became open into its queue. What is under way is put there when it ends; what is
    /// of a deleted subscription is cancelled.
    fn schedule_changes(&mut self, partition: Partition) {
        for change in self.changes.drain(..) {
            let State::Open { due } = change.state else {
                continue;
            };
            let delivery = change.delivery;
            let subscription = self.configuration.subscriptions.get(&change.subscription);
            if let Some(deleted) = subscription.filter(|subscription| subscription.deleted) {
                if let Some(owned) = self.owned.get_mut(index(partition)) {
                    owned.effects.cancel(delivery, deleted.version);
                }
            } else if !self.in_flight.contains(&delivery) {
                let entry = Entry {
                    due,
                    partition,
                    delivery,
                };
                self.schedule.push(change.subscription, entry);
            }
        }
    }
}

/// The place of a partition among all of them: this worker owns every one.
pub(super) fn index(partition: Partition) -> usize {
    usize::try_from(partition.0).unwrap_or(usize::MAX)
}
