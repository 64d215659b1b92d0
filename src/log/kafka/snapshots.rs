//! Snapshots of workers in a topic of their own, so that the next owner of a partition finds them
//! wherever it is. Here compaction is what it is for: of each key the last record counts.

use super::client::{self, Context};
use crate::worker::{Found, Sealed, SnapshotStore};
use async_trait::async_trait;
use hooklog_schemas::Partition;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const MANIFEST: &str = "manifest";
/// How long one poll waits.
const POLL: Duration = Duration::from_millis(100);

/// Snapshots in a topic.
pub(super) struct Snapshots {
    producer: FutureProducer<Context>,
    reader: Arc<Reader>,
    topic: String,
    patience: Duration,
    /// Keys of chunks by partition: those of older generations are to be forgotten.
    known: Mutex<BTreeMap<Partition, Vec<String>>>,
}

impl Snapshots {
    pub(super) fn new(
        base: &ClientConfig,
        prefix: &str,
        topic: String,
        context: Context,
        patience: Duration,
    ) -> Result<Self, KafkaError> {
        let timeout_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let producing = client::producer(base, timeout_ms, PRODUCER_BYTES);
        let mut reading = client::consumer(base, prefix);
        // The end is told, since the last records may be compacted away. Nobody waits for more.
        reading
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "10");
        Ok(Self {
            producer: FutureProducer::from_config_and_context(&producing, context.clone())?,
            reader: Arc::new(Reader {
                consumer: Mutex::default(),
                config: reading,
                context,
                topic: topic.clone(),
                patience,
            }),
            topic,
            patience,
            known: Mutex::default(),
        })
    }

    async fn write(&self, partition: Partition, key: &str, value: Option<&[u8]>) -> io::Result<()> {
        let mut record = FutureRecord::<str, [u8]>::to(&self.topic)
            .partition(number(partition))
            .key(key);
        if let Some(value) = value {
            record = record.payload(value);
        }
        let sent = self.producer.send(record, Timeout::After(self.patience));
        match sent.await {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(io::Error::other(error)),
        }
    }

    /// The keys of chunks that were known before; from now on these are.
    fn replace_known(&self, partition: Partition, keys: Vec<String>) -> Vec<String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(partition, keys).unwrap_or_default()
    }
}

/// What may wait for confirmation: one chunk, and room for it to be compressed.
const PRODUCER_BYTES: u64 = 48 << 20;

#[async_trait]
impl SnapshotStore for Snapshots {
    async fn put(&self, partition: Partition, snapshot: Sealed) -> io::Result<()> {
        let mut keys = Vec::new();
        for (number, chunk) in snapshot.chunks.iter().enumerate() {
            let key = key(snapshot.generation, number);
            self.write(partition, &key, Some(chunk)).await?;
            keys.push(key);
        }
        self.write(partition, MANIFEST, Some(&snapshot.manifest))
            .await?;
        for older in self.replace_known(partition, keys.clone()) {
            if !keys.contains(&older) {
                self.write(partition, &older, None).await?;
            }
        }
        Ok(())
    }

    async fn get(&self, partition: Partition) -> io::Result<Option<Found>> {
        let reader = Arc::clone(&self.reader);
        let reading = tokio::task::spawn_blocking(move || reader.read(number(partition)));
        let found = reading.await.map_err(io::Error::other)??;
        let keys = found.chunks.keys();
        let keys = keys.map(|(generation, number)| key(*generation, *number));
        self.replace_known(partition, keys.collect());
        Ok(Some(found).filter(|found| !found.manifest.is_empty()))
    }
}

/// Reads partitions one after the other, by one consumer: to make and to close one takes longer than
/// to read a snapshot, and a worker that starts reads one for each of its partitions.
struct Reader {
    consumer: Mutex<Option<BaseConsumer<Context>>>,
    config: ClientConfig,
    context: Context,
    topic: String,
    patience: Duration,
}

impl Reader {
    /// Reads a partition to its end. Blocks; so does closing a consumer that failed.
    fn read(&self, partition: i32) -> io::Result<Found> {
        let mut kept = self.consumer.lock().unwrap_or_else(PoisonError::into_inner);
        let consumer = match kept.take() {
            Some(consumer) => consumer,
            None => BaseConsumer::from_config_and_context(&self.config, self.context.clone())
                .map_err(io::Error::other)?,
        };
        let mut list = TopicPartitionList::new();
        let assigned = list
            .add_partition_offset(&self.topic, partition, Offset::Beginning)
            .and_then(|()| consumer.assign(&list));
        assigned.map_err(io::Error::other)?;
        let found = read(&consumer, partition, self.patience)?;
        consumer.unassign().map_err(io::Error::other)?;
        *kept = Some(consumer);
        Ok(found)
    }
}

/// Reads to the end: of each key the last record.
fn read(consumer: &BaseConsumer<Context>, partition: i32, patience: Duration) -> io::Result<Found> {
    let mut found = Found::default();
    let mut heard = Instant::now();
    while heard.elapsed() < patience {
        match consumer.poll(POLL) {
            Some(Ok(message)) if message.partition() == partition => {
                take(&mut found, &message);
                heard = Instant::now();
            }
            Some(Err(KafkaError::PartitionEOF(ended))) if ended == partition => return Ok(found),
            Some(Err(error)) => tracing::debug!(target: "kafka", %error, "reading a snapshot"),
            // Something of the partition before, or nothing yet.
            Some(Ok(_)) | None => {}
        }
    }
    let reason = "no broker answered in time";
    Err(io::Error::new(io::ErrorKind::TimedOut, reason))
}

fn take(found: &mut Found, message: &BorrowedMessage<'_>) {
    let key = message.key().and_then(|key| std::str::from_utf8(key).ok());
    let value = message.payload().map(<[u8]>::to_vec);
    match key {
        Some(MANIFEST) => found.manifest = value.unwrap_or_default(),
        Some(key) => {
            let Some(place) = place(key) else {
                return;
            };
            match value {
                Some(value) => _ = found.chunks.insert(place, value),
                None => _ = found.chunks.remove(&place),
            }
        }
        None => {}
    }
}

fn key(generation: u64, number: usize) -> String {
    format!("{generation:020}-{number:05}")
}

fn place(key: &str) -> Option<(u64, usize)> {
    let (generation, number) = key.split_once('-')?;
    Some((generation.parse().ok()?, number.parse().ok()?))
}

fn number(partition: Partition) -> i32 {
    i32::try_from(partition.0).unwrap_or(i32::MAX)
}
