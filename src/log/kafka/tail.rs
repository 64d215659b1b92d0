//! The ends of partitions that somebody waits for: one consumer follows them, keeps the latest
//! records, and wakes who waits. Nobody polls.

mod part;

use super::client::Context;
use super::names::Names;
use super::record;
use crate::log::{ReadError, ReadLimit};
use hooklog_schemas::{Offset, Partition, Position, Record, Timestamp, Topic};
pub(super) use part::Found;
use part::Part;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// A partition that nobody waited for in this time is followed no more.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// What is known of the ends of all partitions.
pub(super) struct Tail {
    names: Arc<Names>,
    parts: Vec<Part>,
    /// Somebody asked to follow a partition.
    pub(super) asked: Notify,
}

impl Tail {
    /// Nothing is known yet; of each topic up to `bytes` of its latest records are kept.
    pub(super) fn new(names: Arc<Names>, bytes: usize) -> Self {
        let of = |(topic, _)| Part::new(bytes / names.partitions(topic) as usize);
        Self {
            parts: names.all().map(of).collect(),
            names,
            asked: Notify::new(),
        }
    }

    /// What is known of a partition; none for one that does not exist.
    pub(super) fn part(&self, topic: Topic, partition: Partition) -> Option<&Part> {
        self.parts.get(self.names.slot(topic, partition)?)
    }

    /// The same for a position.
    pub(super) fn of(&self, at: &Position) -> Option<&Part> {
        self.parts.get(self.names.slot_of(at)?)
    }

    /// Brokers confirmed a record at this place.
    pub(super) fn confirmed(&self, topic: Topic, partition: Partition, offset: Offset) {
        if let Some(part) = self.part(topic, partition) {
            part.with(|state| state.exists(offset));
        }
    }

    /// What of `from` on is in memory.
    pub(super) fn find(&self, from: Position, limit: ReadLimit) -> Found {
        self.of(&from).map_or(Found::Unknown, |part| {
            part.with(|state| state.find(from.offset, limit))
        })
    }

    /// The append time of what stands before `at`, as far as it is known.
    pub(super) fn floor(&self, at: &Position) -> Timestamp {
        let part = self.of(at);
        part.map_or(Timestamp(i64::MIN), |part| {
            part.with(|state| state.floor(at.offset))
        })
    }

    /// Remembers the append time of what stands before the record after the last of `records`.
    pub(super) fn remember(&self, records: &[Arc<Record>]) {
        let Some(last) = records.last() else { return };
        if let Some(part) = self.of(&last.position) {
            part.with(|state| state.passed(last.position.offset.next(), last.appended_at));
        }
    }

    /// Follows what was asked for.
    pub(super) fn join(&self, consumer: &StreamConsumer<Context>) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for ((topic, partition), part) in self.names.all().zip(&self.parts) {
            if let Some(start) = part.with(part::State::begin) {
                add(&mut list, self.names.of(topic), partition, Some(start))?;
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        consumer.incremental_assign(&list)
    }

    /// Leaves the partitions that nobody waits for any more.
    pub(super) fn leave(&self, consumer: &StreamConsumer<Context>) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        let now = Instant::now();
        for ((topic, partition), part) in self.names.all().zip(&self.parts) {
            if part.with(|state| state.end_if_idle(now, IDLE_MAX)) {
                add(&mut list, self.names.of(topic), partition, None)?;
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        consumer.incremental_unassign(&list)
    }

    /// Takes a record from the end of its partition; tells its place if it erases another one.
    pub(super) fn take(
        &self,
        message: &BorrowedMessage<'_>,
    ) -> Result<Option<Position>, ReadError> {
        let partition = Partition(u32::try_from(message.partition()).unwrap_or(u32::MAX));
        let topic = self.names.topic(message.topic());
        let part = topic.and_then(|topic| Some((topic, self.part(topic, partition)?)));
        let Some((topic, part)) = part else {
            return Ok(None);
        };
        let offset = Offset(u64::try_from(message.offset()).unwrap_or(u64::MAX));
        let floor = part.with(|state| state.floor(offset));
        let record = Arc::new(record::read(message, topic, floor)?);
        let erases = record.value.is_none().then_some(record.position);
        part.with(|state| state.push(record));
        part.appended.notify_waiters();
        Ok(erases)
    }
}

fn add(
    list: &mut TopicPartitionList,
    topic: &str,
    partition: Partition,
    start: Option<Offset>,
) -> Result<(), KafkaError> {
    let number = i32::try_from(partition.0).unwrap_or(i32::MAX);
    let start = start.map(|start| i64::try_from(start.0).unwrap_or(i64::MAX));
    let offset = start.map_or(KafkaOffset::Invalid, KafkaOffset::Offset);
    list.add_partition_offset(topic, number, offset)
}
