//! The brokers' cleaner runs over a history, and nothing that anybody can ask has changed.

use crate::copy::{history, tables};
use crate::harness::{On, TestApp, configuration, write_configuration};
use hooklog::app::{as_of, copy, log};
use hooklog::config::{Config, KafkaConfig, LogKind};
use hooklog::log::ReadLimit;
use hooklog::metrics::Metrics;
use hooklog_schemas::control::LogFiller;
use hooklog_schemas::{Append, Event, EventId, Key, Offset, Partition, Position, Timestamp, Topic};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use uuid::Uuid;

/// How long the cleaner may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn the_cleaner_takes_what_was_erased_and_changes_no_answer() {
    let app = TestApp::start(On::Kafka).await;
    let topics = Topics::of(&configuration(&app.folder).config.log.kafka);
    // What is not compressed can be searched for; nothing is cleaned yet.
    topics
        .set(&[
            ("compression.type", "uncompressed"),
            ("segment.ms", "1"),
            LATER,
        ])
        .await;
    let canary = Uuid::new_v4().to_string();
    history(&app, &canary).await;
    until_erased(&configuration(&app.folder).config).await;
    let folder = app.stop().await;
    let mut config = configuration(&folder).config;
    let ends = close_segments(&config).await;
    assert!(topics.hold(&canary), "else the test sees nothing");
    let data = config.data.clone();
    let before = tables(&mut config, &data).await;
    let events = ends[&(Topic::Control, 0)];
    let answers = past(&config, events).await;
    assert!(answers.len() > 10, "{answers:#?}");

    topics.set(&[("min.cleanable.dirty.ratio", "0.0001")]).await;
    topics.cleaned(&ends).await;
    topics
        .eventually("the erased body is gone", || !topics.hold(&canary))
        .await;

    let file = folder.path().join("hooklog.toml");
    let other = tempfile::tempdir().unwrap();
    assert_eq!(
        before,
        tables(&mut config, other.path()).await,
        "rebuilt from what is left"
    );
    assert_eq!(
        answers,
        past(&config, events).await,
        "as of points of the past"
    );
    let pulled = tempfile::tempdir().unwrap();
    let copied = copy::between(&file, pulled.path(), |_| {}).await.unwrap();
    assert!(copied.fillers > 0, "{copied:?}");
    let mut embedded = config.clone();
    embedded.log.kind = LogKind::Embedded;
    assert_eq!(before, tables(&mut embedded, pulled.path()).await, "copied");
    embedded.data = pulled.path().to_owned();
    assert_eq!(
        answers,
        past(&embedded, events).await,
        "as of the same in the copy"
    );

    // A worker that folds from the start goes on where the last one ended.
    std::fs::remove_dir_all(data.join("identities")).unwrap();
    let app = TestApp::open(folder).await;
    let later = app
        .github("push", &json!({"ref": "refs/heads/later"}))
        .await;
    app.delivery(&later, "well", "delivered").await;
    let dead = app.get("dead-letters").await;
    assert_eq!(dead["items"].as_array().unwrap().len(), 3, "{dead}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_goes_on_after_the_cleaner_ran_and_comes_back_the_same() {
    let app = TestApp::start(On::Kafka).await;
    let topics = Topics::of(&configuration(&app.folder).config.log.kafka);
    topics.set(&[("segment.ms", "1"), LATER]).await;
    history(&app, "secret").await;
    until_erased(&configuration(&app.folder).config).await;
    let folder = app.stop().await;
    let file = folder.path().join("hooklog.toml");
    let mut config = configuration(&folder).config;
    let data = config.data.clone();
    let pulled = tempfile::tempdir().unwrap();
    let early = copy::between(&file, pulled.path(), |_| {}).await.unwrap();
    assert_eq!((early.fillers, early.erased), (0, 0));

    let ends = close_segments(&config).await;
    let before = tables(&mut config, &data).await;
    topics.set(&[("min.cleanable.dirty.ratio", "0.0001")]).await;
    topics.cleaned(&ends).await;
    let later = copy::between(&file, pulled.path(), |_| {}).await.unwrap();
    assert_eq!(later.resumed, early.records);
    assert!(later.erased > 0, "{later:?}");
    let mut embedded = config.clone();
    embedded.log.kind = LogKind::Embedded;
    assert_eq!(before, tables(&mut embedded, pulled.path()).await, "pulled");

    // To other topics, in two parts, and back from there after the cleaner ran again.
    let other = tempfile::tempdir().unwrap();
    write_configuration(&other, &On::Kafka.section(other.path()));
    let mut there = configuration(&other).config;
    log::init(&there.log).await.unwrap();
    let topics = Topics::of(&there.log.kafka);
    topics.set(&[("segment.ms", "1"), LATER]).await;
    let file = other.path().join("hooklog.toml");
    interrupted(pulled.path(), &file).await;
    let copied = copy::between(pulled.path(), &file, |_| {}).await.unwrap();
    assert!(copied.resumed > 0, "{copied:?}");
    let data = there.data.clone();
    assert_eq!(before, tables(&mut there, &data).await, "on other topics");
    let ends = close_segments(&there).await;
    let before = tables(&mut there, &data).await;
    topics.set(&[("min.cleanable.dirty.ratio", "0.0001")]).await;
    topics.cleaned(&ends).await;
    let back = tempfile::tempdir().unwrap();
    let returned = copy::between(&file, back.path(), |_| {}).await.unwrap();
    assert!(returned.fillers > 0, "{returned:?}");
    assert_eq!(before, tables(&mut embedded, back.path()).await, "back");
}

/// Ends a copy after its first part.
async fn interrupted(from: &Path, to: &Path) {
    let begun = Notify::new();
    let copying = copy::between(from, to, |told| {
        if !told.comparing && told.done > 0 {
            begun.notify_one();
        }
    });
    let interrupted = tokio::select! {
        biased;
        () = begun.notified() => true,
        _ = copying => false,
    };
    assert!(interrupted, "the copy was too quick");
}

/// What the tables hold as of every other one of the first `events` events of `control`.
async fn past(config: &Config, events: u64) -> Vec<String> {
    let mut rows = Vec::new();
    for offset in (1..events).step_by(2) {
        let spec = format!("control/0@{offset}").parse().unwrap();
        let then = as_of::tables(config, &spec, |_| {}).await.unwrap();
        for table in ["webhooks", "deliveries", "transitions", "subscriptions"] {
            let sql = format!("SELECT * FROM {table} ORDER BY 1, 2, 3");
            let each = |_: &[&str], values: Vec<serde_json::Value>| {
                rows.push(format!("{offset} {table} {values:?}"));
                Ok(())
            };
            then.ask(&sql, each).await.unwrap();
        }
    }
    rows
}

/// The cleaner leaves records alone that are younger than this.
const LATER: (&str, &str) = ("min.compaction.lag.ms", "86400000");

/// Waits until the log holds the tombstone of a webhook.
async fn until_erased(config: &Config) {
    let beside = tempfile::tempdir().unwrap();
    let mut config = config.clone();
    config.data = beside.path().to_owned();
    let metrics = Metrics::register(&mut Default::default());
    let log = log::open(&config, &metrics).await.unwrap().log;
    let began = Instant::now();
    loop {
        for number in 0..log.partitions(Topic::Webhooks) {
            let start = Position::new(Topic::Webhooks, Partition(number), Offset(0));
            let records = log.read(start, ReadLimit::default()).await.unwrap();
            if records.iter().any(|record| record.value.is_none()) {
                return;
            }
        }
        assert!(began.elapsed() < PATIENCE, "no tombstone");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Appends to every partition until the segments with the history are closed; tells the last offset
/// of each.
async fn close_segments(config: &Config) -> BTreeMap<(Topic, u32), u64> {
    let metrics = Metrics::register(&mut Default::default());
    let log = log::open(config, &metrics).await.unwrap().log;
    let mut ends = BTreeMap::new();
    for topic in Topic::ALL {
        for number in 0..log.partitions(topic) {
            let last = log.bounds(topic, Partition(number)).await.unwrap().tail;
            ends.insert((topic, number), last.0);
            for later in 1..3 {
                let batch = vec![filler(number, later)];
                log.append(topic, batch).await.unwrap();
            }
        }
    }
    ends
}

/// A record that holds a place and says nothing. A segment is closed by the time of its records.
fn filler(partition: u32, later_s: i64) -> Append {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_secs()).unwrap();
    let at = Timestamp::from_secs(now + later_s);
    let (event_type, version, value) = Event::from(LogFiller { at }).encode().unwrap();
    Append {
        partition: Partition(partition),
        event_id: EventId(Uuid::new_v4()),
        key: Key(Uuid::new_v4()),
        event_type,
        version,
        epoch: None,
        at,
        headers: Vec::new(),
        value: Some(value),
    }
}

/// The topics of one log, and the broker's files.
struct Topics {
    brokers: String,
    prefix: String,
    files: PathBuf,
}

impl Topics {
    fn of(kafka: &KafkaConfig) -> Self {
        let files = std::env::var("HOOKLOG_TEST_KAFKA_FILES");
        Self {
            brokers: kafka.brokers.join(","),
            prefix: kafka.topic_prefix.clone(),
            files: PathBuf::from(files.unwrap()),
        }
    }

    /// Gives all topics these settings, beside those without which no server starts.
    async fn set(&self, settings: &[(&str, &str)]) {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.brokers);
        let admin: AdminClient<DefaultClientContext> = client.create().unwrap();
        for topic in Topic::ALL {
            let name = format!("{}{topic}", self.prefix);
            let safe = AlterConfig::new(ResourceSpecifier::Topic(&name))
                .set("cleanup.policy", "compact")
                .set("max.message.bytes", "46137344");
            let alter = settings.iter();
            let alter = alter.fold(safe, |alter, (name, value)| alter.set(name, value));
            let done = admin.alter_configs([&alter], &AdminOptions::new()).await;
            done.unwrap()[0].as_ref().unwrap();
        }
    }

    /// Waits until the broker says that it cleaned up to these offsets.
    async fn cleaned(&self, ends: &BTreeMap<(Topic, u32), u64>) {
        let checkpoint = self.files.join("cleaner-offset-checkpoint");
        self.eventually("the cleaner is done", || {
            let text = std::fs::read_to_string(&checkpoint).unwrap_or_default();
            ends.iter().all(|((topic, partition), end)| {
                let line = format!("{}{topic} {partition} ", self.prefix);
                let lines = text.lines().filter_map(|found| found.strip_prefix(&line));
                lines
                    .into_iter()
                    .any(|upto| upto.parse::<u64>().is_ok_and(|upto| upto >= *end))
            })
        })
        .await;
    }

    /// Whether any of the broker's files of these topics holds a text.
    fn hold(&self, text: &str) -> bool {
        let folders = std::fs::read_dir(&self.files).unwrap();
        let folders = folders.map(|folder| folder.unwrap().path());
        let ours = |folder: &PathBuf| {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&self.prefix)
        };
        let mut files = folders.filter(ours).flat_map(|folder| files(&folder));
        files.any(|file| {
            let content = std::fs::read(file).unwrap_or_default();
            content
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        })
    }

    /// The broker has no signal to wait for, so this looks again and again.
    async fn eventually(&self, what: &str, holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(
                began.elapsed() < PATIENCE,
                "{what}: not within {PATIENCE:?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    // The broker may delete a file between the list and the look.
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}
