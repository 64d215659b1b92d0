//! The log on Apache Kafka: three topics, compacted, so that a tombstone erases and nothing else
//! ever goes. `docs/kafka.md` has the settings, and what they promise.
//!
//! # What is honoured where
//! - No record is confirmed before all in-sync replicas have it, none is written twice by one
//!   producer, and batches keep their order: `acks=all`, `enable.idempotence` (`client.rs`).
//! - Unlimited retention, no unclean elections, a message limit above the largest record, writers'
//!   times: the topics' settings are read back at the start, and unsafe ones refused (`topics.rs`).
//! - A record whose confirmation did not come may be there or not: the error says so, nobody tries
//!   it again under the same key (`writer.rs`). Records wait in a bounded queue of their own kind,
//!   so that webhooks that cannot go out do not hold up decisions; a full one is soon an error.
//! - Dropping an append does not undo it, and does not split it (`writer.rs`).
//! - A fatal error of a producer poisons the log: the process ends, and learns from the log what
//!   was written (`writer.rs`).
//! - Consumers are assigned with explicit offsets; no commit, and no offset that is reset silently:
//!   `auto.offset.reset=error` (`client.rs`, `readers.rs`, `tail.rs`). A group decides who owns which
//!   partitions, and nothing is read through it (`group.rs`).
//! - Checksums are verified (`check.crcs`), records that wait in a consumer are bounded, and topics
//!   are never made by a typing error (`client.rs`).
//! - Gaps are passed over: offsets of a compacted topic are sparse, and the last one before the end
//!   may be gone too (`readers/reader.rs`, `tail/part.rs`).
//! - Closing a consumer blocks, so it happens on threads for blocking work (`readers.rs`).
//!
//! # Append times
//! Kafka keeps the writer's time. Readers take the running maximum from the first record that they
//! read, or from the furthest place before it up to which this process has read. So who reads from
//! the start, in whatever steps, sees times that never go back; a single record that is read out of
//! order shows its writer's time, if clocks of writers disagree.

mod admin;
mod client;
mod group;
mod names;
mod readers;
mod record;
mod snapshots;
mod tail;
mod topics;
mod writer;

pub use admin::{Made, make_topics};
pub use client::ClientError;
pub use topics::Complaint;

use super::lock::{Lock, LockError};
use super::ownership::Ownership;
use super::{AppendError, Bounds, EventLog, ReadError, ReadLimit, tell};
use crate::config::{KafkaConfig, LogConfig};
use crate::metrics::{Metrics, TopicLabel};
use crate::worker::SnapshotStore;
use async_trait::async_trait;
use client::Context;
use group::Group;
use hooklog_schemas::{Append, Offset, Partition, Position, Record, Topic};
use names::Names;
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, StreamConsumer};
use rdkafka::error::KafkaError;
use readers::Readers;
use snapshots::Snapshots;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tail::Tail;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use writer::Writer;

mod follower;
mod source;

use source::Source;

/// The client library sends a request for each partition of a batch. A hundred batches a second are
/// enough for any load, and nobody notices so short a wait.
const PACE: Duration = Duration::from_millis(10);

/// A log in three topics.
pub struct KafkaLog {
    source: Arc<Source>,
    webhooks: Writer,
    /// Decisions and commands do not queue behind webhooks.
    others: Writer,
    /// What members of the group of workers are made of.
    base: ClientConfig,
    config: KafkaConfig,
    context: Context,
    metrics: Metrics,
    poison: watch::Sender<Option<String>>,
    _following: DropGuard,
    /// Tables and derived indexes of the data folder have one owner, wherever the log is.
    _lock: Lock,
}

/// Why the log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data folder cannot be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file or a setting of the configuration cannot be used.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No broker answers.
    #[error(
        "no broker of log.kafka.brokers = {brokers} answers: {reason}; is Kafka running there, and \
         does the listener expect log.kafka.security = {security}, and with TLS, is its certificate \
         signed by log.kafka.ca_file?"
    )]
    Unreachable {
        /// Those that were asked.
        brokers: String,
        /// How they were asked.
        security: &'static str,
        /// What went wrong last.
        reason: String,
    },
    /// The brokers do not let this user in.
    #[error(
        "the brokers refuse us: {0}; check log.kafka.username, password_file and sasl_mechanism"
    )]
    Refused(String),
    /// A topic is missing.
    #[error(
        "there is no topic {0}; `hooklog log init` makes the topics, with the settings that are needed"
    )]
    NoTopic(String),
    /// The topics have other partitions than the configuration.
    #[error(
        "the topic {topic} has {found} partitions, and {wanted} are expected: the number is fixed \
         for life, so set log.partitions = {found} if this is the right topic"
    )]
    Partitions {
        /// The topic.
        topic: String,
        /// How many it has.
        found: usize,
        /// How many it should have.
        wanted: u32,
    },
    /// Settings of topics would lose records, or refuse them.
    #[error("the settings of the topics are not safe:{}", lines(.0))]
    Unsafe(Vec<Complaint>),
    /// Topics cannot be made by token: the commands of Kafka's that make them.
    #[error(
        "topics cannot be made with log.kafka.sasl_mechanism = \"OAUTHBEARER\", since the client \
         library gets no token for that. Make them by Kafka's own tools, where FILE holds their \
         settings to get in, or run `hooklog log init` as a user of another mechanism:{}",
        lines(.0)
    )]
    ByToken(Vec<String>),
    /// The brokers did not do what they were asked.
    #[error("the brokers refuse to {what}: {reason}")]
    Admin {
        /// What was asked.
        what: String,
        /// What they say.
        reason: String,
    },
}

fn lines(all: &[impl std::fmt::Display]) -> String {
    all.iter().map(|one| format!("\n  {one}")).collect()
}

impl KafkaLog {
    /// Takes the data folder `data`, connects, and checks that the topics are there and safe.
    ///
    /// # Errors
    /// A folder that another process has, brokers that do not answer or refuse, topics that are
    /// missing or unsafe. See [`OpenError`].
    pub async fn open(
        data: &Path,
        config: &LogConfig,
        metrics: Metrics,
    ) -> Result<Self, OpenError> {
        let _lock = take(data)?;
        let kafka = &config.kafka;
        let names = Arc::new(Names::new(&kafka.topic_prefix, config.partitions));
        let base = client::base(kafka)?;
        let context = Context::new(kafka);
        let poison = watch::Sender::new(None);
        let reading = client::consumer(&base, &kafka.topic_prefix);
        let consumer = StreamConsumer::from_config_and_context(&reading, context.clone());
        let asker = BaseConsumer::from_config_and_context(&reading, context.clone());
        let source = Arc::new(Source {
            tail: Tail::new(Arc::clone(&names), config.tail_bytes),
            readers: Arc::new(Readers::new(Arc::clone(&names), &reading, context.clone())),
            names: Arc::clone(&names),
            consumer: consumer.map_err(setting)?,
            asker: Arc::new(asker.map_err(setting)?),
            patience: Duration::from_millis(kafka.read_timeout_ms),
        });
        let stop = CancellationToken::new();
        let following = follower::follow(Arc::clone(&source), poison.clone(), stop.clone());
        tokio::spawn(following);
        let _following = stop.drop_guard();
        let found = admin::find(&source.asker, &names, kafka, &context).await?;
        admin::check(kafka, &base, &names, &found).await?;
        admin::find_one(&source.asker, names.snapshots(), kafka, &context).await?;
        let writer = |timeout_ms| {
            let client = client::producer(&base, timeout_ms, kafka.queue_bytes_max);
            let (names, poison) = (Arc::clone(&names), poison.clone());
            Writer::new(&client, context.clone(), names, timeout_ms, poison).map_err(setting)
        };
        Ok(Self {
            webhooks: writer(kafka.webhook_timeout_ms)?,
            others: writer(kafka.decision_timeout_ms)?,
            source,
            base,
            config: kafka.clone(),
            context,
            metrics,
            poison,
            _following,
            _lock,
        })
    }

    /// Where workers keep their folds: a topic beside those of the log.
    ///
    /// # Errors
    /// Settings that the client library does not take.
    pub fn snapshots(&self) -> Result<Arc<dyn SnapshotStore>, OpenError> {
        let topic = self.source.names.snapshots().to_owned();
        let prefix = &self.config.topic_prefix;
        let (context, patience) = (self.context.clone(), self.source.patience);
        let snapshots = Snapshots::new(&self.base, prefix, topic, context, patience);
        Ok(Arc::new(snapshots.map_err(setting)?))
    }

    /// Why the log stopped, once it did. The process must end then.
    #[must_use]
    pub fn poisoned(&self) -> watch::Receiver<Option<String>> {
        self.poison.subscribe()
    }

    fn check(&self, topic: Topic, partition: Partition) -> Result<(), ReadError> {
        match self.source.names.slot(topic, partition) {
            Some(_) => Ok(()),
            None => Err(ReadError::NoPartition(format!("{topic}/{partition}"))),
        }
    }
}

/// The same lock as that of a log in the folder, so that never two servers have it.
fn take(data: &Path) -> Result<Lock, OpenError> {
    let dir = data.join("log");
    let made = std::fs::create_dir_all(&dir);
    made.map_err(|error| LockError::io(&dir, error))?;
    Ok(Lock::take(&dir)?)
}

fn setting(error: KafkaError) -> OpenError {
    OpenError::Client(ClientError::Setting(error.to_string()))
}

#[async_trait]
impl EventLog for KafkaLog {
    fn partitions(&self, topic: Topic) -> u32 {
        self.source.names.partitions(topic)
    }

    async fn append(&self, topic: Topic, batch: Vec<Append>) -> Result<Vec<Offset>, AppendError> {
        let began = Instant::now();
        let partitions: Vec<Partition> = batch.iter().map(|append| append.partition).collect();
        for partition in &partitions {
            let known = self.check(topic, *partition);
            known.map_err(|error| AppendError::Unavailable(error.to_string()))?;
        }
        let writer = if topic == Topic::Webhooks {
            &self.webhooks
        } else {
            &self.others
        };
        let offsets = writer.append(topic, batch).await?;
        for (partition, offset) in partitions.iter().zip(&offsets) {
            self.source.tail.confirmed(topic, *partition, *offset);
        }
        let label = TopicLabel {
            topic: topic.as_str(),
        };
        let count = u64::try_from(offsets.len()).unwrap_or(u64::MAX);
        self.metrics.appended.get_or_create(&label).inc_by(count);
        let seconds = began.elapsed().as_secs_f64();
        self.metrics.append.get_or_create(&label).observe(seconds);
        Ok(offsets)
    }

    async fn read(&self, from: Position, limit: ReadLimit) -> Result<Vec<Arc<Record>>, ReadError> {
        self.check(from.topic, from.partition)?;
        self.source.read(from, limit).await
    }

    async fn bounds(&self, topic: Topic, partition: Partition) -> Result<Bounds, ReadError> {
        self.check(topic, partition)?;
        self.source.bounds(topic, partition).await
    }

    async fn wait(&self, any_of: &[Position]) {
        let parts = any_of.iter().filter_map(|at| self.source.tail.of(at));
        let appended: Vec<_> = parts.map(|part| &part.appended).collect();
        let readable = || any_of.iter().any(|at| self.source.readable(at));
        tell::until(&appended, readable, self.poison.subscribe()).await;
    }

    async fn takes_webhooks(&self) -> Result<(), AppendError> {
        match self.poison.borrow().clone() {
            Some(reason) => Err(AppendError::Poisoned(reason)),
            // Brokers that are away show themselves in appends that come back too late.
            None => Ok(()),
        }
    }

    fn pace(&self) -> Duration {
        PACE
    }

    fn own(&self) -> Result<Box<dyn Ownership>, ReadError> {
        let topic = self.source.names.of(Topic::Webhooks);
        let group = Group::join(&self.base, &self.config, topic, self.context.clone());
        let unavailable = |error: KafkaError| ReadError::Unavailable(error.to_string());
        Ok(Box::new(group.map_err(unavailable)?))
    }

    /// Nothing: the brokers' cleaner compacts when the topic's settings say so.
    async fn compact(&self, _: Topic) -> Result<u64, AppendError> {
        Ok(0)
    }
}

impl Drop for KafkaLog {
    fn drop(&mut self) {
        self.webhooks.flush();
        self.others.flush();
    }
}

#[cfg(test)]
pub(crate) mod tests;
