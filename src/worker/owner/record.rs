//! Appends a turn's events, and folds up to them in the order of the log.

use super::replay::queue;
use super::route::SIGNATURE;
use super::{Batch, Owned, Owner, WorkerError};
use crate::log::AppendError;
use crate::worker::fold::Fold;
use crate::worker::identities::Marks;
use crate::worker::schedule::Entry;
use hooklog_projections::delivery::State;
use hooklog_schemas::deliveries::{Routed, Verdict};
use hooklog_schemas::{Event, Offset, Partition, Position, Record, Topic};
use std::collections::BTreeMap;
use std::time::Duration;

/// An event of ours, with its place in the partition and the term in which it was said.
type Recorded = (Offset, Option<Offset>, Event);

/// How long to wait for space before the append is tried again.
const SPACE_WAIT: Duration = Duration::from_millis(500);

impl Owner {
    /// Appends `batch`, and folds every partition up to what was appended.
    pub(super) async fn record(&mut self, batch: Batch) -> Result<(), WorkerError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.recorded = batch.events.len();
        let offsets = match self.append(&batch).await {
            Ok(offsets) => offsets,
            Err(error) => {
                self.keep_outcomes(batch);
                return Err(error);
            }
        };
        let mut by_partition: BTreeMap<Partition, Vec<Recorded>> = BTreeMap::new();
        for ((term, event), offset) in batch.events.into_iter().zip(offsets) {
            let events = by_partition.entry(term.partition).or_default();
            events.push((offset, term.epoch, event));
        }
        for (partition, events) in by_partition {
            // What others own is theirs to fold.
            if let Some(mut owned) = self.owned.remove(&partition) {
                let folded = self.fold_own(&mut owned, events).await;
                let superseded = owned.is_superseded();
                self.owned.insert(partition, owned);
                folded?;
                self.schedule_changes(partition);
                if superseded {
                    self.superseded(partition)?;
                }
            }
        }
        Ok(self.identities.commit()?)
    }

    pub(super) async fn append(&self, batch: &Batch) -> Result<Vec<Offset>, WorkerError> {
        let at = self.parts.clock.now();
        loop {
            let appends = batch.appends(at);
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
        fold: &mut Fold,
        record: &Record,
    ) -> Result<Option<Routed>, WorkerError> {
        let event = Event::decode(record)?;
        let decided = |fold: &Fold, routed: &Routed| fold.routed.contains(routed.webhook);
        let before = matches!(&event, Event::Routed(routed) if decided(fold, routed));
        self.fold_event(fold, record.position.offset, record.epoch, &event)?;
        let Event::Routed(routed) = event else {
            return Ok(None);
        };
        // A decision that counts for nothing is no evidence of an earlier receipt.
        let counts = !before && decided(fold, &routed);
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
        owned: &mut Owned,
        events: Vec<Recorded>,
    ) -> Result<(), WorkerError> {
        let expected = (owned.fold.next.0..).map(Offset);
        let mut offsets = events.iter().map(|(offset, ..)| *offset).zip(expected);
        if offsets.any(|(offset, expected)| offset != expected) {
            let end = events.last().map(|(last, ..)| last.next());
            let end = end.unwrap_or(owned.fold.next);
            return self.catch_up(owned, end).await;
        }
        for (offset, epoch, event) in &events {
            self.fold_event(&mut owned.fold, *offset, *epoch, event)?;
        }
        Ok(())
    }

    fn fold_event(
        &mut self,
        fold: &mut Fold,
        offset: Offset,
        epoch: Option<Offset>,
        event: &Event,
    ) -> Result<(), WorkerError> {
        let before = self.changes.len();
        fold.apply_event(offset, epoch, event, &mut self.changes);
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
        Ok(())
    }

    /// Puts what became open into its queue. What is under way is put there when it ends; what is
    /// of a deleted subscription is cancelled.
    pub(super) fn schedule_changes(&mut self, partition: Partition) {
        for change in std::mem::take(&mut self.changes) {
            let State::Open { due } = change.state else {
                continue;
            };
            let delivery = change.delivery;
            let subscription = self.configuration.subscriptions.get(&change.subscription);
            if let Some(deleted) = subscription.filter(|subscription| subscription.deleted) {
                if let Some(owned) = self.owned.get_mut(&partition) {
                    owned.effects.cancel(delivery, deleted.version);
                }
            } else if !self.in_flight.contains_key(&delivery) {
                let entry = Entry {
                    due,
                    partition,
                    delivery,
                    replay: change.aim.is_some(),
                };
                let queue = queue(&self.configuration, change.subscription, change.aim);
                self.schedule.push(queue, entry);
                self.want_destinations(queue);
            }
        }
    }
}
