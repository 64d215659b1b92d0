//! Reads the records that a projection of somebody's own may want: those of its topics.

use super::place::Place;
use super::store::OwnError;
use crate::log::{EventLog, ReadError, ReadLimit};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_schemas::{Offset, Partition, Position, Record, Topic};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Records after a place.
pub(super) struct Read {
    /// In order per partition: those of `control` first, then of `webhooks`, then of `deliveries`.
    pub(super) records: Vec<Arc<Record>>,
    /// Some partition is not read up to where it ended before. Only a [`Reading`] that asks for it
    /// looks; otherwise it says no more than that some were not read at all.
    pub(super) more: bool,
}

/// What is read, and how.
pub(super) struct Reading<'a> {
    pub(super) topics: &'a BTreeSet<Topic>,
    /// With which partition it begins, so that large records of one do not keep the others waiting for
    /// ever.
    pub(super) turn: usize,
    /// About how many records at the most. Each partition gets its share.
    pub(super) records_max: usize,
    /// Whether to look if that is all there is: some logs must ask others where they end.
    pub(super) to_the_end: bool,
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

/// Reads records after `place`.
pub(super) async fn read(
    log: &dyn EventLog,
    reading: &Reading<'_>,
    place: &Place,
) -> Result<Read, OwnError> {
    let partitions = partitions(log, reading.topics);
    let (count, mut left) = (partitions.len().max(1), BYTES);
    let share = (reading.records_max / count).max(16);
    let (mut records, mut more) = (Vec::new(), false);
    for number in 0..count {
        let Some((topic, partition)) = partitions.get(reading.turn.wrapping_add(number) % count)
        else {
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
        // How much came says nothing about that: a read stops before it would go over its limit.
        let tail = match reading.to_the_end {
            true => log.bounds(*topic, *partition).await?.tail,
            false => Offset(0),
        };
        let next = place.checkpoint.next(*topic, *partition);
        let some = log.read(next, limit).await?;
        // Where nothing comes is the end, also when the last offsets before the tail are gaps.
        let last = some.last().map(|record| record.position.offset.next());
        more |= last.is_some_and(|next| next < tail);
        let bytes: usize = some.iter().map(|record| record.size()).sum();
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
