//! Opens the log that the configuration names.

use crate::config::{Config, LogConfig, LogKind};
use crate::log::EventLog;
use crate::log::embedded::{self, EmbeddedLog};
#[cfg(feature = "log-kafka")]
use crate::log::kafka::{self, KafkaLog, Made};
#[cfg(feature = "log-kafka")]
use crate::log::lock::LockError;
use crate::metrics::Metrics;
use crate::worker::{SnapshotFiles, SnapshotStore};
#[cfg(not(feature = "log-kafka"))]
use anyhow::bail;
use std::sync::Arc;
use tokio::sync::watch;

/// An open log, and what belongs to it.
pub struct Log {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Why it stopped, once it did.
    pub poisoned: watch::Receiver<Option<String>>,
    /// Where its workers keep their folds.
    pub snapshots: Arc<dyn SnapshotStore>,
}

/// Opens the log of `config`.
///
/// # Errors
/// Each back end's own, which say what to change.
pub async fn open(config: &Config, metrics: &Metrics) -> anyhow::Result<Log> {
    match config.log.kind {
        LogKind::Embedded => {
            let log = EmbeddedLog::open(&config.data, &config.log, metrics.clone())?;
            Ok(Log {
                poisoned: log.poisoned(),
                log: Arc::new(log),
                snapshots: Arc::new(SnapshotFiles::new(config.data.join("snapshots"))),
            })
        }
        LogKind::Kafka => on_kafka(config, metrics).await,
    }
}

/// Whether [`open`] needs a log that is in the data folder already, or makes one there.
#[must_use]
pub const fn is_in_the_folder(config: &LogConfig) -> bool {
    matches!(config.kind, LogKind::Embedded)
}

/// Whether a log could not be opened because another process has its data folder.
#[must_use]
pub fn is_in_use(error: &anyhow::Error) -> bool {
    #[cfg(feature = "log-kafka")]
    if let Some(kafka::OpenError::Lock(error)) = error.downcast_ref() {
        return matches!(error, LockError::InUse { .. });
    }
    let embedded = error.downcast_ref::<embedded::OpenError>();
    matches!(embedded, Some(embedded::OpenError::InUse { .. }))
}

/// Whether a log could not be opened because nobody answers where it should be.
#[must_use]
pub fn is_away(error: &anyhow::Error) -> bool {
    #[cfg(feature = "log-kafka")]
    if let Some(error) = error.downcast_ref() {
        return matches!(error, kafka::OpenError::Unreachable { .. });
    }
    let _ = error;
    false
}

/// Makes what a new log of `config` needs before the first start, and tells what that was, in
/// lines for people.
///
/// # Errors
/// Each back end's own, which say what to change.
pub async fn init(config: &LogConfig) -> anyhow::Result<Vec<String>> {
    match config.kind {
        LogKind::Embedded => Ok(vec![
            "nothing to do: the first `hooklog serve` makes the embedded log".to_owned(),
        ]),
        LogKind::Kafka => init_kafka(config).await,
    }
}

#[cfg(feature = "log-kafka")]
async fn on_kafka(config: &Config, metrics: &Metrics) -> anyhow::Result<Log> {
    let log = KafkaLog::open(&config.data, &config.log, metrics.clone()).await?;
    Ok(Log {
        poisoned: log.poisoned(),
        snapshots: log.snapshots()?,
        log: Arc::new(log),
    })
}

#[cfg(feature = "log-kafka")]
async fn init_kafka(config: &LogConfig) -> anyhow::Result<Vec<String>> {
    let line = |made| match made {
        Made::New {
            topic,
            partitions,
            replicas,
        } => format!("{topic}: made; partitions {partitions}, copies {replicas}"),
        Made::Fits { topic } => format!("{topic}: is there, and its settings are safe"),
        Made::Unread { topic, shown_by } => format!(
            "{topic}: is there; its settings cannot be read with OAUTHBEARER: compare what \
             `{shown_by}` shows with docs/kafka.md"
        ),
    };
    let made = kafka::make_topics(config).await?;
    Ok(made.into_iter().map(line).collect())
}

#[cfg(not(feature = "log-kafka"))]
async fn on_kafka(_: &Config, _: &Metrics) -> anyhow::Result<Log> {
    bail!("{NOT_BUILT}")
}

#[cfg(not(feature = "log-kafka"))]
async fn init_kafka(_: &LogConfig) -> anyhow::Result<Vec<String>> {
    bail!("{NOT_BUILT}")
}

/// The configuration says the same before it comes to this, with the line that asks for it.
#[cfg(not(feature = "log-kafka"))]
const NOT_BUILT: &str = "this hooklog was built without the feature log-kafka";
