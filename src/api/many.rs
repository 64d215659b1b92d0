//! Many single records of the log in one answer: those that stand near one another are read at once.

use super::Api;
use super::problem::Problem;
use super::record::position;
use crate::log::ReadLimit;
use crate::query::WebhookRow;
use hooklog_schemas::deliveries::Routed;
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{DecodeError, Event, Position, Record, Topic};

/// Records so far apart are read at once: what lies between is read in vain.
const NEAR: u64 = 32;

/// Bytes of one read.
const BYTES: usize = 1 << 20;

impl Api {
    /// The decisions about these webhooks; none where its record cannot be found.
    pub(super) async fn decisions(
        &self,
        rows: &[WebhookRow],
    ) -> Result<Vec<Option<Routed>>, Problem> {
        let at = |row: &WebhookRow| position(Topic::Deliveries, row.partition, row.decision_offset);
        let positions: Vec<_> = rows.iter().map(at).collect();
        let decision = |record: &Record| match Event::decode(record)? {
            Event::Routed(routed) => Ok(Some(*routed)),
            _ => Ok(None),
        };
        self.each(&positions, decision).await
    }

    /// What the receivers knew of these webhooks; none of those that were erased.
    pub(super) async fn receipts(
        &self,
        rows: &[WebhookRow],
    ) -> Result<Vec<Option<Received>>, Problem> {
        let at = |row: &WebhookRow| position(Topic::Webhooks, row.partition, row.offset);
        let positions: Vec<_> = rows.iter().map(at).collect();
        let received = |record: &Record| match record.value {
            Some(_) => Received::decode(record).map(Some),
            None => Ok(None),
        };
        let mut found = self.each(&positions, received).await?;
        for (row, found) in rows.iter().zip(&mut found) {
            found.take_if(|_| row.erased);
        }
        Ok(found)
    }

    /// What `read` makes of the record at each position, in their order; none where there is none.
    async fn each<T>(
        &self,
        positions: &[Position],
        read: impl Fn(&Record) -> Result<Option<T>, DecodeError>,
    ) -> Result<Vec<Option<T>>, Problem> {
        let mut found: Vec<Option<T>> = positions.iter().map(|_| None).collect();
        let mut order: Vec<usize> = (0..positions.len()).collect();
        order.sort_by_key(|place| positions[*place]);
        let mut rest = order.as_slice();
        while let Some(first) = rest.first() {
            let from = positions[*first];
            let near = rest.partition_point(|place| is_near(from, positions[*place]));
            let last = rest[..near].last().map_or(from, |place| positions[*place]);
            let limit = ReadLimit {
                records: usize::try_from(last.offset.0 - from.offset.0 + 1).unwrap_or(1),
                bytes: BYTES,
            };
            let records = self.parts.log.read(from, limit).await?;
            // Bytes may have ended it early; what lies before its end and is not there is nowhere.
            let reached = records.last().map_or(from, |record| record.position);
            let done = rest[..near].partition_point(|place| positions[*place] <= reached);
            for place in &rest[..done] {
                let wanted = positions[*place];
                let place_of = records.binary_search_by_key(&wanted, |record| record.position);
                if let Some(record) = place_of.ok().and_then(|at| records.get(at)) {
                    found[*place] = read(record).map_err(Problem::internal)?;
                }
            }
            rest = &rest[done.max(1)..];
        }
        Ok(found)
    }
}

/// Whether `other`, which is not before `from`, is read with it.
fn is_near(from: Position, other: Position) -> bool {
    other.topic == from.topic
        && other.partition == from.partition
        && other.offset.0 - from.offset.0 < NEAR
}
