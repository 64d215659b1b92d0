//! Single records of the log, by their positions.

use super::Api;
use super::problem::Problem;
use crate::log::ReadLimit;
use hooklog_projections::configuration::Configuration;
use hooklog_schemas::deliveries::Routed;
use hooklog_schemas::{Event, Offset, Partition, Position, ReceiptId, Record, Topic};
use std::sync::Arc;

impl Api {
    /// The record at `position`; none if it is not there.
    pub(super) async fn record(&self, position: Position) -> Result<Option<Arc<Record>>, Problem> {
        let limit = ReadLimit {
            records: 1,
            bytes: 1,
        };
        let read = self.parts.log.read(position, limit).await?;
        Ok(read.into_iter().find(|record| record.position == position))
    }

    /// The decision at `position`; none if there is another event, or none any more.
    pub(super) async fn decision(&self, position: Position) -> Result<Option<Routed>, Problem> {
        let Some(record) = self.record(position).await? else {
            return Ok(None);
        };
        match Event::decode(&record).map_err(Problem::internal)? {
            Event::Routed(routed) => Ok(Some(*routed)),
            _ => Ok(None),
        }
    }

    /// The answer's excerpt at `position`, unless it was erased.
    pub(super) async fn excerpt(&self, position: &str) -> Result<Option<String>, Problem> {
        let Ok(position) = position.parse() else {
            return Ok(None);
        };
        let Some(record) = self.record(position).await? else {
            return Ok(None);
        };
        let Event::Answered(answered) = Event::decode(&record).map_err(Problem::internal)? else {
            return Ok(None);
        };
        let erased = is_erased(&self.parts.control.current(), answered.receipt);
        Ok((!erased).then_some(answered.excerpt))
    }
}

/// A position from a row's numbers.
pub(super) fn position(topic: Topic, partition: i64, offset: i64) -> Position {
    let partition = Partition(u32::try_from(partition).unwrap_or(u32::MAX));
    let offset = Offset(u64::try_from(offset).unwrap_or(u64::MAX));
    Position::new(topic, partition, offset)
}

/// Whether an erasure was ordered; it counts from then on, before the bytes are gone.
pub(super) fn is_erased(configuration: &Configuration, receipt: ReceiptId) -> bool {
    configuration.erased.receipt(receipt).is_some()
}
