//! Reads the records that a projection of somebody's own may want: those of its topics.

use super::place::Place;
use super::store::OwnError;
use crate::log::{EventLog, ReadError, ReadLimit};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_schemas::{Partition, Position, Record, Topic};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Records after a place.
pub(super) struct Read {
    /// In order per partition: those of `control` first, then of `webhooks`, then of `deliveries`.
    pub(super) records: Vec<Arc<Record>>,
    /// There is probably more.
    pub(super) more: bool,
}

/// Bytes read at a time, but for a last record that is larger.
const BYTES: usize = 8 << 20;

/// The order in which topics are handed over: causes before what they led to.
const ORDER: [Topic; 3] = [Topic::Control, Topic::Webhooks, Topic::Deliveries];

/// Every partition of these topics.
pub(super) fn partitions(log: &dyn EventLog, topics: &BTreeSet<Topic>) -> Vec<(Topic, Partition)> {
    let wanted = ORDER.into_iter().filter(|topic| topics.contains(topic));
    wanted
        .flat_map(|topic| (0..log.partitions(topic)).map(move |n| (topic, Partition(n))))
        .collect()
}

/// Reads up to about `records_max` records after `place`. Each partition gets its share; `turn` says
/// with which to begin, so that large records of one do not keep the others waiting for ever.
pub(super) async fn read(
    log: &dyn EventLog,
    (topics, turn): (&BTreeSet<Topic>, usize),
    place: &Place,
    records_max: usize,
) -> Result<Read, OwnError> {
    let partitions = partitions(log, topics);
    let (count, mut left) = (partitions.len().max(1), BYTES);
    let share = (records_max / count).max(16);
    let (mut records, mut more) = (Vec::new(), false);
    for number in 0..count {
        let Some((topic, partition)) = partitions.get((turn + number) % count) else {
            break;
        };
        if left == 0 {
            more = true;
            break;
        }
        let limit = ReadLimit {
            records: share,
            bytes: (BYTES / count).min(left),
        };
        let next = place.checkpoint.next(*topic, *partition);
        let some = log.read(next, limit).await?;
        let bytes: usize = some.iter().map(|record| size(record)).sum();
        more |= some.len() >= share || bytes >= limit.bytes;
        left = left.saturating_sub(bytes);
        records.extend(some);
    }
    records.sort_by_key(|record| order(record.position));
    Ok(Read { records, more })
}

fn order(position: Position) -> (Option<usize>, Partition, u64) {
    let topic = ORDER.iter().position(|topic| *topic == position.topic);
    (topic, position.partition, position.offset.0)
}

fn size(record: &Record) -> usize {
    record.value.as_ref().map_or(0, bytes::Bytes::len)
}

/// How many records of these topics there are after `checkpoint`.
pub(super) async fn behind(
    log: &dyn EventLog,
    topics: &BTreeSet<Topic>,
    checkpoint: &Checkpoint,
) -> Result<u64, ReadError> {
    let mut behind = 0;
    for (topic, partition) in partitions(log, topics) {
        let bounds = log.bounds(topic, partition).await?;
        let next = checkpoint.next(topic, partition).offset.max(bounds.start);
        behind += bounds.tail.0.saturating_sub(next.0);
    }
    Ok(behind)
}
