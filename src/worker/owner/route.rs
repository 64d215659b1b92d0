//! Reads webhooks, and decides about each of them once.

use super::{Batch, Owner, WorkerError};
use crate::log::ReadLimit;
use crate::route::Index;
use crate::worker::routing::{self, Compiled};
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{Offset, Position, Record, Topic};
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
        self.know(received.configuration.offset).await;
        let at = self.parts.clock.now();
        let decision = routing::decide(&self.compiled, &received, offset, at);
        let partition = record.position.partition;
        self.fresh.insert((partition, offset), Arc::clone(record));
        batch.add(partition, decision);
        Ok(())
    }

    /// Waits until the configuration that the receiver knew is known here too.
    async fn know(&mut self, stamped: Offset) {
        if stamped >= self.configuration.next {
            self.parts.control.reached(stamped.next()).await;
            self.load_configuration();
        }
        // Compiled only when something is to be routed: many changes in a row cost one.
        if self.compiled.version != self.configuration.version {
            self.compiled = Compiled {
                version: self.configuration.version,
                index: Arc::new(Index::new(&self.configuration)),
            };
        }
    }
}
