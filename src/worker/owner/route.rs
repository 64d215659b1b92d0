//! Reads webhooks, and decides about each of them once.

use super::{Batch, Owner, WorkerError};
use crate::deliver::target::json_body;
use crate::log::ReadLimit;
use crate::log::copy::is_filler;
use crate::route::Index;
use crate::worker::fold::Fold;
use crate::worker::identities::{Earlier, Identities, Marks};
use crate::worker::lines;
use crate::worker::routing::{self, Compiled};
use bytes::Bytes;
use hooklog_projections::delivery::State;
use hooklog_schemas::deliveries::{Because, Match, MatchOutcome, Requeued, Routed};
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{DeliveryId, Offset, Partition, Position, Record, Topic};
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
        let acting: Vec<Partition> = self.acting().map(|owned| owned.partition).collect();
        for partition in acting {
            let records = self.next_webhooks(partition).await?;
            self.look |= !records.is_empty();
            for record in records {
                self.pass_gap(partition, record.position.offset, batch);
                self.decide(&record, batch).await?;
            }
        }
        Ok(())
    }

    async fn next_webhooks(
        &mut self,
        partition: Partition,
    ) -> Result<Vec<Arc<Record>>, WorkerError> {
        let Some(owned) = self.owned.get_mut(&partition) else {
            return Ok(Vec::new());
        };
        owned.cursor = owned.fold.routed.first_missing(owned.cursor);
        let from = Position::new(Topic::Webhooks, partition, owned.cursor);
        Ok(self.parts.log.read(from, WEBHOOKS_MAX).await?)
    }

    async fn decide(&mut self, record: &Arc<Record>, batch: &mut Batch) -> Result<(), WorkerError> {
        let Position {
            partition, offset, ..
        } = record.position;
        let Some(owned) = self.owned.get_mut(&partition) else {
            return Ok(());
        };
        let term = owned.term();
        owned.cursor = offset.next();
        if owned.fold.routed.contains(offset) {
            return Ok(());
        }
        if record.value.is_none() || is_filler(record) {
            self.pass(partition, offset, batch);
            return Ok(());
        }
        let received = Received::decode(record)?;
        if !self.know(received.configuration.offset).await {
            return Ok(());
        }
        let at = self.parts.clock.now();
        let mut decision = routing::decide(&self.compiled, &received, record, at);
        let requeued = self.subtract(record, &mut decision).await?;
        self.fresh.insert((partition, offset), Arc::clone(record));
        self.decided += 1;
        lines::routed(record.position, &decision);
        for event in &requeued {
            lines::requeued(&decision.summary.guid, event);
        }
        batch.add(term, decision);
        for event in requeued {
            batch.add(term, event);
        }
        Ok(())
    }

    /// Takes off what the event is owed already, and requeues its dead letters.
    async fn subtract(
        &mut self,
        record: &Record,
        decision: &mut Routed,
    ) -> Result<Vec<Requeued>, WorkerError> {
        let signature = record.header(SIGNATURE).map(Bytes::as_ref);
        let partition = record.position.partition;
        let marks = Marks::new(partition, decision, signature);
        let earlier = self.earlier(&marks, record, decision).await?;
        let mut requeued = Vec::new();
        if let (Some(earlier), Some(owned)) = (&earlier, self.owned.get(&partition)) {
            decision.repeats = Some(earlier.repeats.clone());
            let again = earlier.is(decision.receipt);
            let mut matches = Vec::with_capacity(decision.matches.len());
            for mut found in std::mem::take(&mut decision.matches) {
                let subscription = self.configuration.subscriptions.get(&found.subscription);
                let wants_all = subscription.is_some_and(|s| s.spec.policy.duplicates);
                let before = earlier.delivery(found.subscription);
                let outcome = match before.filter(|_| again || !wants_all) {
                    Some(before) => standing(&owned.fold, &self.identities, before)?,
                    None => MatchOutcome::Owed,
                };
                if outcome != MatchOutcome::Owed {
                    found.delivery = before.unwrap_or(found.delivery);
                    found.outcome = outcome;
                }
                let new = matches!(
                    outcome,
                    MatchOutcome::Owed | MatchOutcome::RequeuedDeadLetter
                );
                // A receipt that was handed over twice is one receipt: it owes nothing anew.
                if !(again && new) {
                    requeued.extend(requeue(&owned.fold, &found, decision));
                    matches.push(found);
                }
            }
            decision.matches = matches;
        }
        self.identities.note(&marks, decision, earlier.as_ref());
        Ok(requeued)
    }

    /// What is known of an earlier receipt of this event; the same record is none.
    async fn earlier(
        &self,
        marks: &Marks,
        record: &Record,
        decision: &Routed,
    ) -> Result<Option<Earlier>, WorkerError> {
        let Some(mut earlier) = self.identities.earlier(marks)? else {
            return Ok(None);
        };
        if earlier.is(decision.receipt) {
            let twice = !earlier.is_at(decision.webhook);
            return Ok(Some(earlier).filter(|_| twice));
        }
        if let Some(offset) = earlier.compare {
            let position = Position {
                offset,
                ..record.position
            };
            let before = self.webhook(position).await?;
            let before = before.and_then(|before| json_body(&before));
            // A body that was erased cannot say no: GitHub does not use a GUID for two events.
            if before.is_some_and(|before| Some(before) != json_body(record)) {
                earlier.conflicts();
            }
        }
        Ok(Some(earlier))
    }

    /// The webhook at a position, if there is one.
    pub(super) async fn webhook(
        &self,
        position: Position,
    ) -> Result<Option<Arc<Record>>, WorkerError> {
        let one = ReadLimit {
            records: 1,
            bytes: 0,
        };
        let records = self.parts.log.read(position, one).await?;
        Ok(records
            .into_iter()
            .find(|record| record.position == position))
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

/// Says who signed a webhook, as GitHub sends it.
pub(super) const SIGNATURE: &str = "x-hub-signature-256";

/// The event that opens a match's dead letter again, if it has one.
fn requeue(fold: &Fold, found: &Match, decision: &Routed) -> Option<Requeued> {
    let dead = fold.deliveries.get(&found.delivery)?;
    (found.outcome == MatchOutcome::RequeuedDeadLetter).then_some(Requeued {
        delivery: found.delivery,
        receipt: dead.receipt,
        subscription: found.subscription,
        because: Because::Redelivery(decision.receipt),
        at: decision.at,
    })
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
