//! Reading without being a member of the group: what was set aside, and how much there is.

use super::positions::Positions;
use super::{ANSWER, blocking, reading, unavailable};
use crate::intake::IntakeError;
use bytes::Bytes;
use rdkafka::config::{ClientConfig, FromClientConfig as _};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::Arc;
use std::time::Instant;

/// Messages that were set aside, one after the other, as many as there were at the beginning.
pub(super) struct Aside {
    consumer: Arc<BaseConsumer>,
    hub: String,
    left: Vec<Part>,
    taken: Option<(i32, i64)>,
}

/// What is not acknowledged in a partition.
struct Part {
    partition: i32,
    from: i64,
    upto: i64,
    /// Acknowledged beyond `from`.
    beyond: u64,
}

/// How many messages of `hub` are not acknowledged.
pub(super) async fn count(settings: ClientConfig, hub: &str) -> Result<u64, IntakeError> {
    let hub = hub.to_owned();
    blocking(move || {
        let consumer = BaseConsumer::from_config(&settings).map_err(unavailable)?;
        let parts = parts(&consumer, &hub)?;
        let of = |part: &Part| u64::try_from(part.upto - part.from).unwrap_or_default();
        let counted = parts
            .iter()
            .map(|part| of(part).saturating_sub(part.beyond));
        Ok(counted.sum())
    })
    .await
}

/// Begins with what is not acknowledged.
pub(super) async fn open(settings: ClientConfig, hub: &str) -> Result<Aside, IntakeError> {
    let hub = hub.to_owned();
    blocking(move || {
        let consumer: BaseConsumer = BaseConsumer::from_config(&settings).map_err(unavailable)?;
        let mut left = parts(&consumer, &hub)?;
        left.retain(|part| part.from < part.upto);
        let mut assigned = TopicPartitionList::new();
        for part in &left {
            let from = Offset::Offset(part.from);
            let added = assigned.add_partition_offset(&hub, part.partition, from);
            added.map_err(unavailable)?;
        }
        consumer.assign(&assigned).map_err(unavailable)?;
        Ok(Aside {
            consumer: Arc::new(consumer),
            hub,
            left,
            taken: None,
        })
    })
    .await
}

impl Aside {
    /// The next one, which is still there until it is forgotten.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, IntakeError> {
        let began = Instant::now();
        while !self.left.is_empty() {
            let consumer = Arc::clone(&self.consumer);
            let polled = blocking(move || match consumer.poll(ANSWER) {
                Some(Ok(message)) => {
                    let bytes = Bytes::copy_from_slice(message.payload().unwrap_or_default());
                    Ok(Some((message.partition(), message.offset(), bytes)))
                }
                Some(Err(error)) => Err(unavailable(error)),
                None => Ok(None),
            });
            if let Some((partition, offset, bytes)) = polled.await? {
                let upto = self.left.iter().find(|part| part.partition == partition);
                if upto.is_some_and(|part| offset < part.upto) {
                    self.left
                        .retain(|part| part.partition != partition || offset + 1 < part.upto);
                    self.taken = Some((partition, offset));
                    return Ok(Some(bytes));
                }
            } else if began.elapsed() > ANSWER {
                let why = format!("{} gave nothing within {ANSWER:?}", self.hub);
                return Err(IntakeError::Unavailable(why));
            }
        }
        Ok(None)
    }

    /// Commits that the last one is gone.
    pub(super) async fn forget(&mut self) -> Result<(), IntakeError> {
        let Some((partition, offset)) = self.taken.take() else {
            return Ok(());
        };
        let (consumer, hub) = (Arc::clone(&self.consumer), self.hub.clone());
        blocking(move || {
            let mut commit = TopicPartitionList::new();
            let next = Offset::Offset(offset + 1);
            let added = commit.add_partition_offset(&hub, partition, next);
            added.map_err(unavailable)?;
            consumer
                .commit(&commit, CommitMode::Sync)
                .map_err(unavailable)
        })
        .await
    }
}

fn parts(consumer: &BaseConsumer, hub: &str) -> Result<Vec<Part>, IntakeError> {
    let metadata = consumer
        .fetch_metadata(Some(hub), ANSWER)
        .map_err(unavailable)?;
    let topics = metadata.topics().iter();
    let partitions = topics
        .flat_map(|topic| topic.partitions())
        .map(|one| one.id());
    let mut asked = TopicPartitionList::new();
    for partition in partitions {
        asked.add_partition(hub, partition);
    }
    let committed = consumer
        .committed_offsets(asked, ANSWER)
        .map_err(unavailable)?;
    let mut parts = Vec::new();
    for one in committed.elements() {
        let bounds = consumer.fetch_watermarks(hub, one.partition(), ANSWER);
        let (first, upto) = bounds.map_err(unavailable)?;
        let committed = reading::offset(one.offset());
        parts.push(Part {
            partition: one.partition(),
            from: committed.max(first),
            upto,
            beyond: Positions::read(committed, one.metadata()).beyond(),
        });
    }
    Ok(parts)
}
