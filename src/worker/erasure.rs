//! Erases bodies: tombstones for webhooks and for what subscribers answered, then compaction.

use super::attempt::Surroundings;
use crate::clock;
use crate::log::{AppendError, ReadError, ReadLimit};
use hooklog_schemas::control::ErasureRequested;
use hooklog_schemas::{
    Append, DecodeError, Event, Offset, Partition, Position, ReceiptId, Record, Topic,
};
use std::collections::HashSet;
use std::sync::Arc;

/// Why an erasure did not come to its end. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum ErasureError {
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Erases the receipts of one partition, and tells how many bodies went.
///
/// One at a time, and compacted first: then a body that is still there has no tombstone yet, be it
/// from another order, from a try that failed, or from a process that ended half way.
pub(super) async fn erase(
    around: &Surroundings,
    partition: Partition,
    epoch: Option<Offset>,
    erasure: &ErasureRequested,
) -> Result<u64, ErasureError> {
    let here = erasure
        .receipts
        .iter()
        .filter(|erased| erased.partition == partition.0);
    let here: Vec<_> = here.copied().collect();
    if here.is_empty() {
        return Ok(0);
    }
    let _one = around.erasing.lock().await;
    around.log.compact(Topic::Webhooks).await?;
    around.log.compact(Topic::Deliveries).await?;
    let mut tombstones = Vec::new();
    for erased in &here {
        let at = Position::new(Topic::Webhooks, partition, erased.offset);
        let one = ReadLimit {
            records: 1,
            bytes: 0,
        };
        let found = around.log.read(at, one).await?;
        let body = found
            .iter()
            .filter(|r| r.position == at && r.value.is_some());
        tombstones.extend(body.map(|record| tombstone(around, record, None)));
    }
    let count = u64::try_from(tombstones.len()).unwrap_or(u64::MAX);
    around.log.append(Topic::Webhooks, tombstones).await?;
    let receipts = here.iter().map(|erased| erased.receipt).collect();
    let answers = answers(around, partition, epoch, &receipts).await?;
    around.log.append(Topic::Deliveries, answers).await?;
    around.log.compact(Topic::Webhooks).await?;
    around.log.compact(Topic::Deliveries).await?;
    Ok(count)
}

/// Tombstones for what subscribers answered to these receipts.
async fn answers(
    around: &Surroundings,
    partition: Partition,
    epoch: Option<Offset>,
    receipts: &HashSet<ReceiptId>,
) -> Result<Vec<Append>, ErasureError> {
    let mut tombstones = Vec::new();
    let mut from = around.log.bounds(Topic::Deliveries, partition).await?.start;
    loop {
        let at = Position::new(Topic::Deliveries, partition, from);
        let records = around.log.read(at, ReadLimit::default()).await?;
        let Some(last) = records.last() else {
            return Ok(tombstones);
        };
        from = last.position.offset.next();
        let answered = records
            .iter()
            .filter(|r| r.event_type.as_str() == "delivery.answered");
        for record in answered {
            if let Event::Answered(answered) = Event::decode(record)?
                && receipts.contains(&answered.receipt)
            {
                tombstones.push(tombstone(around, record, epoch));
            }
        }
    }
}

fn tombstone(around: &Surroundings, record: &Arc<Record>, epoch: Option<Offset>) -> Append {
    Append {
        partition: record.position.partition,
        event_id: clock::event_id(),
        key: record.key,
        event_type: record.event_type.clone(),
        version: record.version,
        epoch,
        at: around.clock.now(),
        headers: Vec::new(),
        value: None,
    }
}
