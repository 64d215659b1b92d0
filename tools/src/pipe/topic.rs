//! A topic of Kafka's instead of a file: produced to and consumed with the settings of the product.

use crate::pipe::Forward;
use anyhow::{Context as _, Result};
use bytes::Bytes;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// As many as the product's.
const PARTITIONS: i32 = 12;
const CONFIRMED_WITHIN: Duration = Duration::from_secs(8);

/// A topic of its own, of which everything is forwarded.
pub(crate) struct Topic {
    producer: FutureProducer,
    name: String,
    next: AtomicI32,
}

impl Topic {
    /// Makes the topic on `brokers`, and forwards what comes into it.
    pub(crate) async fn create(brokers: &str, forward: Arc<Forward>) -> Result<Self> {
        let name = format!("pipe.{}", Uuid::now_v7().simple());
        make(brokers, &name).await?;
        let consumer = consumer(brokers, &name)?;
        tokio::spawn(forward_all(consumer, forward));
        Ok(Self {
            producer: producer(brokers)?,
            name,
            next: AtomicI32::new(0),
        })
    }

    /// Whether the body is in the topic now.
    pub(crate) async fn append(&self, guid: &str, body: &Bytes) -> bool {
        let key = Uuid::new_v4();
        let record = FutureRecord::<[u8], [u8]>::to(&self.name)
            .partition(
                self.next
                    .fetch_add(1, Ordering::Relaxed)
                    .rem_euclid(PARTITIONS),
            )
            .key(key.as_bytes())
            .headers(
                rdkafka::message::OwnedHeaders::new().insert(rdkafka::message::Header {
                    key: "guid",
                    value: Some(guid),
                }),
            )
            .payload(body);
        self.producer.send(record, CONFIRMED_WITHIN).await.is_ok()
    }
}

async fn forward_all(consumer: StreamConsumer, forward: Arc<Forward>) {
    while let Ok(message) = consumer.recv().await {
        let guid = guid(&message).unwrap_or_default();
        let body = Bytes::copy_from_slice(message.payload().unwrap_or_default());
        // Whoever waits here for a free slot does not fill the memory.
        forward.clone().start(guid, body).await;
    }
}

fn guid(message: &impl rdkafka::Message) -> Option<String> {
    use rdkafka::message::Headers as _;
    let header = message.headers()?.try_get(0)?;
    String::from_utf8(header.value?.to_vec()).ok()
}

async fn make(brokers: &str, name: &str) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()?;
    let topic = NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1))
        .set("cleanup.policy", "compact")
        .set("max.message.bytes", "46137344");
    let made = admin.create_topics([&topic], &AdminOptions::new()).await?;
    let made = made.into_iter().next().context("no answer")?;
    made.map_err(|(_, code)| anyhow::anyhow!("cannot make the topic {name}: {code}"))?;
    Ok(())
}

/// The settings of the product's producer.
fn producer(brokers: &str) -> Result<FutureProducer> {
    let producer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "zstd")
        .set("message.timeout.ms", "8000")
        .set("message.max.bytes", "46137344")
        .set("linger.ms", "1")
        .create();
    producer.context("cannot make the producer")
}

/// The settings of the product's consumer.
fn consumer(brokers: &str, name: &str) -> Result<StreamConsumer> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "pipe")
        .set("enable.auto.commit", "false")
        .set("check.crcs", "true")
        .set("queued.min.messages", "1000")
        .set("queued.max.messages.kbytes", "8192")
        .set("fetch.message.max.bytes", "4194304")
        .set("receive.message.max.bytes", "100000000")
        .set("fetch.wait.max.ms", "200")
        .create()
        .context("cannot make the consumer")?;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(name, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    Ok(consumer)
}
