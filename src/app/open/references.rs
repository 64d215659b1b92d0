//! What one topic says of another must be there: a topic that lost its end would give offsets anew
//! that have their decision already, and what comes in there would never be routed.

use crate::log::copy::is_filler;
use crate::log::{EventLog, ReadLimit};
use anyhow::bail;
use hooklog_schemas::deliveries::Routed;
use hooklog_schemas::webhook::Received;
use hooklog_schemas::{Event, Offset, Partition, Position, Record, Topic};
use std::sync::Arc;

/// Records that one step back from the end reads.
const STEP: u64 = 512;

/// Looks at the newest decision of every partition, before anything is taken in. The worker, which
/// folds them all, looks again.
///
/// # Errors
/// When it is about a webhook, or was made under a configuration, that is not in the log.
pub(super) async fn check(log: &dyn EventLog) -> anyhow::Result<()> {
    for number in 0..log.partitions(Topic::Deliveries) {
        let partition = Partition(number);
        let decisions = newest_decisions(log, partition).await?;
        let stamp = newest_stamp(log, partition).await?;
        // Other processes append meanwhile, so what is named is read before the ends of where it
        // must be.
        let webhooks = log.bounds(Topic::Webhooks, partition).await?.tail;
        let control = log.bounds(Topic::Control, Partition(0)).await?.tail;
        for routed in &decisions {
            there(Topic::Webhooks, partition, routed.webhook, webhooks)?;
        }
        let versions = decisions.iter().map(|routed| routed.configuration.offset);
        for version in versions.chain(stamp) {
            there(Topic::Control, Partition(0), version, control)?;
        }
    }
    Ok(())
}

fn there(topic: Topic, partition: Partition, named: Offset, tail: Offset) -> anyhow::Result<()> {
    if named < tail {
        return Ok(());
    }
    let last = Position::new(topic, partition, named);
    bail!(
        "a part of the log is missing: a decision names {last}, but {topic}/{partition} ends before \
         {tail}. Nothing was changed; `hooklog log verify --data DIR` tells more; bring the folder \
         of {topic} back from a copy"
    )
}

/// The configuration that the receiver of a partition's last webhook knew.
async fn newest_stamp(log: &dyn EventLog, partition: Partition) -> anyhow::Result<Option<Offset>> {
    let tail = log.bounds(Topic::Webhooks, partition).await?.tail;
    let last = Position::new(Topic::Webhooks, partition, Offset(tail.0.saturating_sub(1)));
    let records = log.read(last, ReadLimit::default()).await?;
    let webhook = |record: &&Arc<Record>| record.value.is_some() && !is_filler(record);
    let Some(record) = records.last().filter(webhook) else {
        return Ok(None);
    };
    Ok(Some(Received::decode(record)?.configuration.offset))
}

/// The decisions of the last stretch of a partition that has any.
async fn newest_decisions(log: &dyn EventLog, partition: Partition) -> anyhow::Result<Vec<Routed>> {
    let bounds = log.bounds(Topic::Deliveries, partition).await?;
    let mut end = bounds.tail;
    while end > bounds.start {
        let start = Offset(end.0.saturating_sub(STEP)).max(bounds.start);
        let found = decisions(log, partition, start, end).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        end = start;
    }
    Ok(Vec::new())
}

async fn decisions(
    log: &dyn EventLog,
    partition: Partition,
    start: Offset,
    end: Offset,
) -> anyhow::Result<Vec<Routed>> {
    let mut found = Vec::new();
    let mut at = Position::new(Topic::Deliveries, partition, start);
    let step = ReadLimit {
        records: STEP as usize,
        ..ReadLimit::default()
    };
    while at.offset < end {
        let records = log.read(at, step).await?;
        let Some(last) = records.last() else { break };
        at.offset = last.position.offset.next();
        for record in records.iter().filter(|record| is_decision(record)) {
            if let Event::Routed(routed) = Event::decode(record)? {
                found.push(*routed);
            }
        }
    }
    Ok(found)
}

fn is_decision(record: &Arc<Record>) -> bool {
    record.event_type.as_str() == "webhook.routed"
}

#[cfg(test)]
mod tests;
