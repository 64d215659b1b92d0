//! Reads webhooks, and decides about each of them once.

use super::{Batch, Owner, WorkerError};
use crate::log::ReadLimit;
use crate::route::Index;
use crate::worker::fold::Fold;
use crate::worker::identities::{Identities, Marks};
use crate::worker::routing::{self, Compiled};
use bytes::Bytes;
use hooklog_projections::delivery::State;
use hooklog_schemas::deliveries::{Because, MatchOutcome, Requeued, Routed};
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{DeliveryId, Offset, Position, Record, Topic};
use std::sync::Arc;

/// Webhooks of one partition in one turn. Their bodies are in memory until its end.
const WEBHOOKS_MAX: ReadLimit = ReadLimit {
    records: 128,
    bytes: 1 << 20,
};

impl Owner {
    /// Adds the decisions about the next webhooks of every partition.
    pub(super) async fn route(&mut self, batch: &mut Batch) -> Result<(), WorkerError> {
        if !std::mem::take(&mut self.look) {
            return Ok(());
        }
        for number in 0..self.owned.len() {
            let records = self.next_webhooks(number).await?;
            self.look |= !records.is_empty();
            for record in records {
                self.pass_gap(number, record.position.offset, batch);
                self.decide(number, &record, batch).await?;
            }
        }
        Ok(())
    }

    async fn next_webhooks(&mut self, number: usize) -> Result<Vec<Arc<Record>>, WorkerError> {
        let Some(owned) = self.owned.get_mut(number) else {
            return Ok(Vec::new());
        };
        owned.cursor = owned.fold.routed.first_missing(owned.cursor);
        let from = Position::new(Topic::Webhooks, owned.partition, owned.cursor);
        Ok(self.parts.log.read(from, WEBHOOKS_MAX).await?)
    }

    async fn decide(
        &mut self,
        number: usize,
        record: &Arc<Record>,
        batch: &mut Batch,
    ) -> Result<(), WorkerError> {
        let offset = record.position.offset;
        let Some(owned) = self.owned.get_mut(number) else {
            return Ok(());
        };
        owned.cursor = offset.next();
        if owned.fold.routed.contains(offset) {
            return Ok(());
        }
        if record.value.is_none() {
            return self.pass(number, offset, batch);
        }
        let received = Received::decode(record)?;
        if !self.know(received.configuration.offset).await {
            return Ok(());
        }
        let at = self.parts.clock.now();
        let mut decision = routing::decide(&self.compiled, &received, offset, at);
        let partition = record.position.partition;
        let requeued = self.subtract(number, record, &mut decision)?;
        self.fresh.insert((partition, offset), Arc::clone(record));
        self.decided += 1;
        tracing::debug!(
            guid = decision.summary.guid, receipt = %decision.receipt,
            matches = decision.matches.len(), "routed"
        );
        batch.add(partition, decision);
        for event in requeued {
            batch.add(partition, event);
        }
        Ok(())
    }

    /// Takes off what the event is owed already, and requeues its dead letters.
    fn subtract(
        &mut self,
        number: usize,
        record: &Record,
        decision: &mut Routed,
    ) -> Result<Vec<Requeued>, WorkerError> {
        let signature = record.header("x-hub-signature-256").map(Bytes::as_ref);
        let marks = Marks::new(record.position.partition, decision, signature);
        let earlier = self.identities.earlier(&marks)?;
        let earlier = earlier.filter(|earlier| !earlier.is(decision.receipt));
        let mut requeued = Vec::new();
        if let (Some(earlier), Some(owned)) = (&earlier, self.owned.get(number)) {
            decision.repeats = Some(earlier.repeats.clone());
            for found in &mut decision.matches {
                let subscription = self.configuration.subscriptions.get(&found.subscription);
                let wants_all = subscription.is_some_and(|s| s.spec.policy.duplicates);
                let before = earlier.delivery(found.subscription).filter(|_| !wants_all);
                let Some(before) = before else { continue };
                let outcome = standing(&owned.fold, &self.identities, before)?;
                if outcome == MatchOutcome::Owed {
                    continue;
                }
                found.outcome = outcome;
                found.delivery = before;
                let dead = owned.fold.deliveries.get(&before);
                if let (MatchOutcome::RequeuedDeadLetter, Some(dead)) = (outcome, dead) {
                    requeued.push(Requeued {
                        delivery: before,
                        receipt: dead.receipt,
                        subscription: found.subscription,
                        because: Because::Redelivery(decision.receipt),
                        at: decision.at,
                    });
                }
            }
        }
        self.identities.note(&marks, decision, earlier.as_ref());
        Ok(requeued)
    }

    /// Waits until the configuration that the receiver knew is known here too; false when the
    /// worker is to stop meanwhile: the successor routes what is left.
    async fn know(&mut self, stamped: Offset) -> bool {
        if stamped >= self.configuration.next {
            tokio::select! {
                () = self.parts.control.reached(stamped.next()) => {}
                () = self.shutdown.cancelled() => return false,
            }
            self.load_configuration();
        }
        // Compiled only when something is to be routed: many changes in a row cost one.
        if self.compiled.version != self.configuration.version {
            self.compiled = Compiled {
                version: self.configuration.version,
                index: Arc::new(Index::new(&self.configuration)),
            };
        }
        true
    }
}

/// What an earlier delivery of the event means for another receipt of it.
fn standing(
    fold: &Fold,
    identities: &Identities,
    before: DeliveryId,
) -> Result<MatchOutcome, WorkerError> {
    Ok(
        match fold.deliveries.get(&before).map(|delivery| delivery.state) {
            Some(State::Open { .. }) => MatchOutcome::AlreadyOpen,
            Some(State::Dead { .. }) => MatchOutcome::RequeuedDeadLetter,
            None if identities.is_fresh(before) => MatchOutcome::AlreadyOpen,
            // What was cancelled is owed anew: somebody asked GitHub for it again.
            None if identities.was_cancelled(before)? => MatchOutcome::Owed,
            Some(State::Delivered | State::Cancelled) | None => MatchOutcome::AlreadyDelivered,
        },
    )
}
