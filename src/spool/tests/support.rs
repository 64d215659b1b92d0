//! A spool on real files, before a log in memory that does as it is told.

use crate::clock::Manual;
use crate::config::SpoolConfig;
use crate::log::embedded::EmbeddedBuffer;
use crate::log::memory::MemoryLog;
use crate::log::{AppendError, EventLog, ReadLimit};
use crate::metrics::Metrics;
use crate::receive::{Inlet, IntoLog};
use crate::spool::{Buffer, Spool, SpoolParts, Step};
use async_trait::async_trait;
use bytes::Bytes;
use hooklog_schemas::control::ConfigurationVersion;
use hooklog_schemas::webhook::{Facts, RECEIVED, Received, VERSION};
use hooklog_schemas::{
    Append, EventId, Key, Offset, Partition, Position, ReceiptId, Record, SecretId, SourceId,
    Timestamp, Topic, partition_of,
};
use prometheus_client::registry::Registry;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) const PARTITIONS: u32 = 3;
pub(crate) const LOG: EventId = EventId(Uuid::from_u128(99));
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_793_534_400);

/// What the way into the log does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Works,
    Refuses,
    /// Nobody ever hears what became of it.
    Hangs,
    /// It is taken, and the client hears of an error.
    Deceives,
    /// It is not taken, and the client hears that all is well.
    Loses,
}

/// A way into the log that does as it is told.
pub(crate) struct Flaky {
    into: IntoLog,
    way: Mutex<Way>,
}

impl Flaky {
    pub(crate) fn before(log: &Arc<MemoryLog>) -> Arc<Self> {
        Arc::new(Self {
            into: IntoLog(log.clone()),
            way: Mutex::new(Way::Works),
        })
    }

    pub(crate) fn set(&self, way: Way) {
        *self.way.lock().unwrap() = way;
    }
}

fn away() -> AppendError {
    AppendError::Unavailable("no broker answers".into())
}

#[async_trait]
impl Inlet for Flaky {
    async fn put(&self, webhook: Append) -> Result<(), AppendError> {
        self.put_all(vec![webhook]).await
    }

    async fn put_all(&self, webhooks: Vec<Append>) -> Result<(), AppendError> {
        let way = *self.way.lock().unwrap();
        match way {
            Way::Works => self.into.put_all(webhooks).await,
            Way::Refuses => Err(away()),
            Way::Hangs => std::future::pending().await,
            Way::Loses => Ok(()),
            Way::Deceives => {
                self.into.put_all(webhooks).await?;
                Err(away())
            }
        }
    }

    async fn takes_webhooks(&self) -> Result<(), AppendError> {
        match *self.way.lock().unwrap() {
            Way::Works => Ok(()),
            _ => Err(away()),
        }
    }
}

/// A spool, the way behind it and the log at its end.
pub(crate) struct Given {
    pub(crate) folder: TempDir,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) way: Arc<Flaky>,
    pub(crate) spool: Arc<Spool>,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Arc<Manual>,
    pub(crate) config: SpoolConfig,
    /// Why the configuration is too old, if it is.
    pub(crate) stale: Arc<Mutex<Option<String>>>,
}

pub(crate) fn config() -> SpoolConfig {
    SpoolConfig {
        persistent: true,
        reserve_bytes: 0,
        inlet_deadline_ms: 100,
        ..SpoolConfig::default()
    }
}

pub(crate) fn given() -> Given {
    given_with(config())
}

pub(crate) fn given_with(config: SpoolConfig) -> Given {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new(PARTITIONS));
    let way = Flaky::before(&log);
    let metrics = Metrics::register(&mut Registry::default());
    let clock = Arc::new(Manual::at(NOW));
    let stale = Arc::new(Mutex::new(None));
    let buffer = Arc::new(EmbeddedBuffer::open(folder.path(), LOG, &config).unwrap());
    let parts = parts(buffer, &way, &clock, &metrics, &config, &stale);
    Given {
        spool: Spool::new(parts),
        folder,
        log,
        way,
        metrics,
        clock,
        config,
        stale,
    }
}

fn parts(
    buffer: Arc<dyn Buffer>,
    way: &Arc<Flaky>,
    clock: &Arc<Manual>,
    metrics: &Metrics,
    config: &SpoolConfig,
    stale: &Arc<Mutex<Option<String>>>,
) -> SpoolParts {
    let stale = stale.clone();
    SpoolParts {
        inlet: way.clone(),
        buffer,
        partitions: PARTITIONS,
        fresh: Arc::new(move || stale.lock().unwrap().clone().map_or(Ok(()), Err)),
        clock: clock.clone(),
        config: config.clone(),
        metrics: metrics.clone(),
    }
}

/// A spool over `buffer` whose configuration is always recent.
pub(crate) fn over(buffer: Arc<dyn Buffer>, way: &Arc<Flaky>) -> Arc<Spool> {
    let clock = Arc::new(Manual::at(NOW));
    let metrics = Metrics::register(&mut Registry::default());
    let never = Arc::new(Mutex::new(None));
    Spool::new(parts(buffer, way, &clock, &metrics, &config(), &never))
}

impl Given {
    /// The spool as the next process finds it.
    pub(crate) fn restarted(self) -> Self {
        let Self {
            folder,
            log,
            way,
            spool,
            metrics,
            clock,
            config,
            stale,
        } = self;
        drop(spool);
        let buffer = Arc::new(EmbeddedBuffer::open(folder.path(), LOG, &config).unwrap());
        let parts = parts(buffer, &way, &clock, &metrics, &config, &stale);
        Self {
            spool: Spool::new(parts),
            folder,
            log,
            way,
            metrics,
            clock,
            config,
            stale,
        }
    }

    pub(crate) async fn put(&self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.clock.advance(Duration::from_millis(10));
            self.spool.put(webhook(number)).await.unwrap();
        }
    }

    /// Drains until nothing is left.
    pub(crate) async fn drain(&self) {
        drain(&self.spool).await;
    }

    /// Runs the spool's drain until the log has `count` records.
    pub(crate) async fn run_until(&self, count: usize) {
        let stop = CancellationToken::new();
        let running = tokio::spawn(self.spool.clone().run(stop.clone(), Duration::ZERO));
        let there = async {
            while records(&self.log).await.len() < count || self.spool.note().is_some() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let there = tokio::time::timeout(Duration::from_secs(20), there).await;
        there.expect("the log gets what is in the spool");
        stop.cancel();
        running.await.unwrap().unwrap();
    }

    /// What a partition has, as numbers of webhooks.
    pub(crate) async fn numbers(&self, partition: u32) -> Vec<u64> {
        let records = partition_of_log(&self.log, partition).await;
        records.iter().map(|record| number(record)).collect()
    }

    pub(crate) fn files(&self) -> Vec<Vec<u8>> {
        let folder = self.folder.path().join("spool/webhooks");
        let read = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read(entry.unwrap().path());
        let files = std::fs::read_dir(folder).unwrap();
        files.map(|entry| read(entry).unwrap()).collect()
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

pub(crate) async fn drain(spool: &Spool) {
    loop {
        match spool.step().await.unwrap() {
            Step::Drained(_) => {}
            Step::Empty => return,
            Step::Refused(error) => panic!("{error}"),
        }
    }
}

/// The webhook of this number, in the partition of its repository.
pub(crate) fn webhook(number: u64) -> Append {
    let received = received(number);
    let id = Uuid::from_u128(u128::from(number));
    Append {
        partition: partition_of(&received.facts.partition_subject(), PARTITIONS),
        event_id: EventId(id),
        key: Key(Uuid::new_v4()),
        event_type: RECEIVED,
        version: VERSION,
        epoch: None,
        at: received.received_at,
        headers: vec![received.header()],
        value: Some(Bytes::from(format!("{{\"number\":{number}}}"))),
    }
}

fn received(number: u64) -> Received {
    Received {
        receipt: ReceiptId(Uuid::from_u128(u128::from(number))),
        received_at: NOW.plus(Duration::from_secs(number)),
        source: SourceId(Uuid::from_u128(1)),
        source_name: "acme".into(),
        secret: SecretId(Uuid::from_u128(2)),
        configuration: ConfigurationVersion {
            offset: Offset(1),
            event: EventId(Uuid::from_u128(3)),
        },
        client: "192.0.2.1".into(),
        facts: Facts {
            guid: format!("guid-{number}"),
            event: "push".into(),
            host: "github.com".into(),
            repository_id: Some(i64::try_from(number % 7).unwrap()),
            ..Facts::default()
        },
    }
}

/// The number of the webhook that became this record, all of which is as it was sent.
pub(crate) fn number(record: &Record) -> u64 {
    let number = u64::try_from(record.event_id.0.as_u128()).unwrap();
    let sent = webhook(number);
    assert_eq!(record.position.partition, sent.partition);
    assert_eq!(record.headers, sent.headers, "the receipt and its time");
    assert_eq!(record.value, sent.value);
    number
}

pub(crate) async fn partition_of_log(log: &MemoryLog, partition: u32) -> Vec<Arc<Record>> {
    let at = Position::new(Topic::Webhooks, Partition(partition), Offset(0));
    let all = ReadLimit {
        records: usize::MAX,
        bytes: usize::MAX,
    };
    log.read(at, all).await.unwrap()
}

pub(crate) async fn records(log: &MemoryLog) -> Vec<Arc<Record>> {
    let mut all = Vec::new();
    for partition in 0..PARTITIONS {
        all.extend(partition_of_log(log, partition).await);
    }
    all
}

/// The number of a webhook in the spool.
pub(crate) fn number_of_spooled(record: &Record) -> u64 {
    u64::try_from(record.event_id.0.as_u128()).unwrap()
}
