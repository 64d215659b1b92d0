//! Reads the log in batches, and starts a fold at a checkpoint.

use super::Unfit;
use super::store::{ProjectionStore, StoreError};
use crate::control::FollowError;
use crate::history;
use crate::log::{EventLog, ReadError, ReadLimit};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::folding::{Decoded, Folding, Unreadable, Wanted};
use hooklog_projections::layout::Layout;
use hooklog_projections::partitions;
use hooklog_projections::table::Value;
use hooklog_schemas::{DecodeError, Event, EventId, Partition, Position, Topic};

/// Why a fold stops.
#[derive(Debug, thiserror::Error)]
pub(super) enum FeedError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Row(#[from] Unreadable),
}

impl From<FollowError> for FeedError {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Read(error) => Self::Read(error),
            FollowError::Decode(error) => Self::Decode(error),
        }
    }
}

/// Every partition whose records tables are folded from.
pub(super) fn partitions(log: &dyn EventLog) -> Vec<(Topic, Partition)> {
    let of = |topic| (0..log.partitions(topic)).map(move |n| (topic, Partition(n)));
    of(Topic::Control).chain(of(Topic::Deliveries)).collect()
}

/// The log's id, once its first event is there.
pub(super) async fn log_id(log: &dyn EventLog) -> Result<Option<EventId>, FeedError> {
    let start = Position::new(Topic::Control, Partition(0), Default::default());
    let limit = ReadLimit {
        records: 1,
        ..ReadLimit::default()
    };
    let records = log.read(start, limit).await?;
    let Some(first) = records.first() else {
        return Ok(None);
    };
    Ok(match Event::decode(first)? {
        Event::LogCreated(created) => Some(created.log_id),
        _ => None,
    })
}

/// Whether every partition is at least as long as `checkpoint` says.
pub(super) async fn is_within(
    log: &dyn EventLog,
    checkpoint: &Checkpoint,
) -> Result<Option<Unfit>, ReadError> {
    for next in checkpoint.positions() {
        let tail = log.bounds(next.topic, next.partition).await?.tail;
        if next.offset > tail {
            return Ok(Some(Unfit::BeyondTheEnd {
                topic: next.topic.as_str(),
                partition: next.partition.0,
                next: next.offset.0,
                tail: tail.0,
            }));
        }
    }
    Ok(None)
}

/// How many records there are after `checkpoint`.
pub(super) async fn behind(log: &dyn EventLog, checkpoint: &Checkpoint) -> Result<u64, ReadError> {
    let mut behind = 0;
    for (topic, partition) in partitions(log) {
        let bounds = log.bounds(topic, partition).await?;
        let next = checkpoint.next(topic, partition).offset.max(bounds.start);
        behind += bounds.tail.0.saturating_sub(next.0);
    }
    Ok(behind)
}

/// The fold of a store's tables, at its checkpoint.
///
/// The configuration is folded again from `control`, which is short: so it is a function of the
/// same prefix as the tables, and needs no place in the store.
pub(super) async fn resume(
    log: &dyn EventLog,
    store: &mut dyn ProjectionStore,
    layout: &Layout,
    checkpoint: Checkpoint,
    open_max: usize,
) -> Result<Folding, FeedError> {
    let end = checkpoint.next(Topic::Control, Partition(0)).offset;
    let configuration = history::configuration(log, end).await?;
    let keys = (0..log.partitions(Topic::Deliveries)).map(|n| vec![Value::Int(i64::from(n))]);
    let wanted = layout.wanted(Wanted {
        table: &partitions::TABLE,
        keys: keys.collect(),
    });
    let rows = match wanted {
        Some(wanted) => layout.widen(&partitions::TABLE, store.load(&wanted).await?),
        None => Vec::new(),
    };
    Ok(Folding::resume(checkpoint, configuration, &rows, open_max)?)
}

/// Records after a checkpoint, read in turn from all partitions and decoded once.
pub(super) struct Batch {
    /// The records, in order per partition.
    pub(super) records: Vec<Decoded>,
    /// The batch was full: there is probably more.
    pub(super) full: bool,
}

/// Events decoded or folded between two chances for others to run.
pub(super) const EVENTS_PER_TURN: usize = 128;

/// Reads up to `events_max` records after `checkpoint`, none at or after `until`. Each partition gets
/// its share.
pub(super) async fn read(
    log: &dyn EventLog,
    checkpoint: &Checkpoint,
    events_max: usize,
    until: Option<&Checkpoint>,
) -> Result<Batch, FeedError> {
    let partitions = partitions(log);
    let share = (events_max / partitions.len().max(1)).max(16);
    let mut batch = Batch {
        records: Vec::new(),
        full: false,
    };
    for (topic, partition) in partitions {
        let limit = ReadLimit {
            records: share,
            ..ReadLimit::default()
        };
        let next = checkpoint.next(topic, partition);
        let end = until.map(|until| until.next(topic, partition).offset);
        if end.is_some_and(|end| end <= next.offset) {
            continue;
        }
        let mut records = log.read(next, limit).await?;
        batch.full |= records.len() >= share;
        records.retain(|record| end.is_none_or(|end| record.position.offset < end));
        for some in records.chunks(EVENTS_PER_TURN) {
            for record in some {
                batch.records.push(Decoded::of(record)?);
            }
            tokio::task::yield_now().await;
        }
    }
    Ok(batch)
}
