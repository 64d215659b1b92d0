//! A real broker, and topics that one test has for itself.

use super::super::{KafkaLog, make_topics};
use crate::config::{KafkaConfig, LogConfig, LogKind};
use crate::log::conformance::{self, Compact, PARTITIONS};
use crate::metrics::Metrics;
use futures_util::future::BoxFuture;
use hooklog_schemas::{Append, Key, Timestamp, Topic};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// How long a broker may take for anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The value of a variable that `tools/services` sets.
pub(super) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: this test needs a Kafka broker; start it, and run the tests with \
             it, by `tools/services run kafka -- cargo nextest run --all-features …`"
        )
    })
}

/// Three topics with a prefix of their own.
pub(crate) struct Topics {
    pub(super) config: LogConfig,
}

/// Topics that nobody made yet.
pub(super) fn nobodys() -> Topics {
    let config = LogConfig {
        kind: LogKind::Kafka,
        partitions: PARTITIONS,
        tail_bytes: 300_000,
        kafka: KafkaConfig {
            brokers: vec![variable("HOOKLOG_TEST_KAFKA")],
            topic_prefix: format!("it.{}.", Uuid::now_v7().simple()),
            replication_factor: 1,
            min_insync_replicas: 1,
            read_timeout_ms: 20_000,
            ..KafkaConfig::default()
        },
        ..LogConfig::default()
    };
    Topics { config }
}

impl Topics {
    /// Makes them as `hooklog log init` does.
    pub(crate) async fn make() -> Self {
        let topics = nobodys();
        make_topics(&topics.config).await.unwrap();
        topics
    }

    pub(crate) async fn open(&self) -> KafkaLog {
        let metrics = Metrics::register(&mut Default::default());
        // A log of its own folder, as of another machine.
        let folder = tempfile::tempdir().unwrap();
        let log = KafkaLog::open(folder.path(), &self.config, metrics).await;
        log.unwrap()
    }

    pub(super) fn name(&self, topic: Topic) -> String {
        format!("{}{topic}", self.config.kafka.topic_prefix)
    }

    /// Sets settings of a topic, and leaves out what `log init` had set.
    pub(super) async fn set(&self, topic: Topic, settings: &[(&str, &str)]) {
        let brokers = self.config.kafka.brokers.join(",");
        let mut client = ClientConfig::new();
        let admin: AdminClient<DefaultClientContext> =
            client.set("bootstrap.servers", brokers).create().unwrap();
        let name = self.name(topic);
        let mut all: Vec<(&str, String)> = super::super::topics::of_new(topic, &self.config.kafka);
        for (setting, value) in settings {
            all.retain(|(name, _)| name != setting);
            all.push((setting, (*value).to_owned()));
        }
        let alter = AlterConfig::new(ResourceSpecifier::Topic(&name));
        let alter = all
            .iter()
            .fold(alter, |alter, (name, value)| alter.set(name, value));
        let done = admin.alter_configs([&alter], &AdminOptions::new()).await;
        done.unwrap()[0].as_ref().unwrap();
    }

    /// Forces the cleaner: quick settings, then two fillers in every partition, each of which closes
    /// the segment before it; then waits until the cleaner says that it was there.
    pub(super) fn compaction(&self, log: &conformance::Log) -> Compact {
        let (log, topics) = (Arc::clone(log), Arc::new(self.clone()));
        Arc::new(move |topic| -> BoxFuture<'static, ()> {
            let (log, topics) = (Arc::clone(&log), Arc::clone(&topics));
            Box::pin(async move { topics.compact(&log, topic).await })
        })
    }

    async fn compact(&self, log: &conformance::Log, topic: Topic) {
        let quick = [
            ("segment.ms", "1"),
            ("min.cleanable.dirty.ratio", "0.0001"),
            ("file.delete.delay.ms", "0"),
        ];
        self.set(topic, &quick).await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = Timestamp(i64::try_from(now.as_micros()).unwrap());
        let mut closed = Vec::new();
        for partition in 0..log.partitions(topic) {
            let filler = |millis: i64| Append {
                at: Timestamp(now.0 + millis * 1_000),
                key: Key(Uuid::new_v4()),
                ..conformance::append(partition, "filler")
            };
            log.append(topic, vec![filler(0)]).await.unwrap();
            let last = log.append(topic, vec![filler(10)]).await.unwrap()[0];
            closed.push((partition, last));
        }
        let checkpoint =
            Path::new(&variable("HOOKLOG_TEST_KAFKA_FILES")).join("cleaner-offset-checkpoint");
        let name = self.name(topic);
        let cleaned = || {
            let text = std::fs::read_to_string(&checkpoint).unwrap_or_default();
            closed.iter().all(|(partition, offset)| {
                text.lines().any(|line| {
                    let words: Vec<_> = line.split(' ').collect();
                    matches!(words[..], [topic, number, upto]
                        if topic == name && number == partition.to_string()
                            && upto.parse::<u64>().is_ok_and(|upto| upto >= offset.0))
                })
            })
        };
        self.eventually("the cleaner is done", cleaned).await;
    }

    /// The broker has no signal to wait for, so this looks again and again.
    pub(super) async fn eventually(&self, what: &str, holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(
                began.elapsed() < PATIENCE,
                "{what}: not within {PATIENCE:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whether any of the broker's files of these topics holds `bytes`.
    pub(super) fn files_hold(&self, bytes: &[u8]) -> bool {
        let files = PathBuf::from(variable("HOOKLOG_TEST_KAFKA_FILES"));
        let folders = std::fs::read_dir(files)
            .unwrap()
            .map(|entry| entry.unwrap());
        let prefix = &self.config.kafka.topic_prefix;
        let ours = folders.filter(|folder| {
            folder
                .file_name()
                .to_string_lossy()
                .starts_with(prefix.as_str())
        });
        let mut contents = ours
            .flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten())
            // The broker may delete a file between the list and the look.
            .filter_map(|file| std::fs::read(file.ok()?.path()).ok());
        contents.any(|content| content.windows(bytes.len()).any(|piece| piece == bytes))
    }
}

impl Clone for Topics {
    fn clone(&self) -> Self {
        Self {
            config: self.config.clone(),
        }
    }
}
