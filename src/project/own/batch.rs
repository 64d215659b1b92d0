//! A batch of events for the statements of a projection of somebody's own.

use super::erasures::Erasures;
use super::handed::{body, event};
use super::place::Place;
use super::store::OwnError;
use hooklog_schemas::deliveries::LIVE;
use hooklog_schemas::{Position, Record};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A batch for the statements of a projection.
pub(super) struct Batch {
    /// The events.
    events: Vec<Value>,
    /// Where the first of them stands.
    pub(super) first: Option<Position>,
    /// Where the tables are behind it.
    pub(super) to: Place,
    /// Some records were left for the next one.
    pub(super) left: bool,
}

/// Records looked at between two chances for others to run.
const RECORDS_PER_TURN: usize = 128;

impl Batch {
    /// The wanted ones of `records`, `events_max` at the most.
    pub(super) async fn of(
        records: &[Arc<Record>],
        wanted: &BTreeSet<String>,
        erasures: &Erasures,
        (from, events_max): (&Place, usize),
    ) -> Result<Self, OwnError> {
        let mut batch = Self {
            events: Vec::new(),
            first: None,
            to: from.clone(),
            left: false,
        };
        for (number, record) in (1..).zip(records) {
            if batch.events.len() >= events_max {
                batch.left = true;
                break;
            }
            batch.take(record, wanted, erasures)?;
            if number % RECORDS_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(batch)
    }

    /// How many events there are.
    pub(super) fn count(&self) -> usize {
        self.events.len()
    }

    /// The text for the statements; nothing if there are no events.
    pub(super) fn text(&self) -> Option<String> {
        let there = !self.events.is_empty();
        there.then(|| serde_json::to_string(&self.events).unwrap_or_default())
    }

    fn take(
        &mut self,
        record: &Record,
        wanted: &BTreeSet<String>,
        erasures: &Erasures,
    ) -> Result<(), OwnError> {
        let position = record.position;
        let next = Position {
            offset: position.offset.next(),
            ..position
        };
        self.to.checkpoint.read_up_to(next);
        if record.event_type.as_str() == "partition.acquired" {
            let fences = self.to.fences.entry(position.partition).or_default();
            fences.acquired(position.offset.0);
        }
        if !wanted.contains(record.event_type.as_str()) || self.is_late(record) {
            return Ok(());
        }
        let Some((version, data)) = body(record)? else {
            return Ok(());
        };
        if self.is_repeated(record, &data) {
            return Ok(());
        }
        if let Some(data) = erasures.blank(record, data) {
            self.events.push(event(record, version, data));
            self.first.get_or_insert(position);
        }
        Ok(())
    }

    /// What somebody decided who was not the owner of the partition any more counts for nothing.
    fn is_late(&self, record: &Record) -> bool {
        let decides = [
            "webhook.routed",
            "delivery.requeued",
            "delivery.cancelled",
            "command.applied",
        ];
        let fences = self.to.fences.get(&record.position.partition);
        let epoch = record.epoch.map(|epoch| epoch.0);
        let late = fences.is_some_and(|fences| fences.is_late(epoch));
        late && decides.contains(&record.event_type.as_str())
    }

    /// Of two decisions about one record of a receipt the first counts.
    fn is_repeated(&mut self, record: &Record, data: &Value) -> bool {
        let (Some(webhook), true) = (data["webhook"].as_u64(), data["cause"] == LIVE) else {
            return false;
        };
        let fences = self.to.fences.entry(record.position.partition).or_default();
        record.event_type.as_str() == "webhook.routed" && !fences.routed(webhook)
    }
}

#[cfg(test)]
mod tests;
