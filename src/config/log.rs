//! `[log]`: where the log is kept.

mod kafka;

pub use kafka::{KafkaConfig, Mechanism, Security};

use serde::{Deserialize, Serialize};

/// The log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// What keeps the log.
    pub kind: LogKind,
    /// Partitions of `webhooks` and `deliveries`, fixed when the log is made.
    pub partitions: u32,
    /// A segment is closed when it is larger than this (embedded).
    pub segment_bytes: u64,
    /// Free bytes below which no webhook is taken (503): deliveries, control and erasure still fit
    /// (embedded). At least `segment_bytes`, since a compaction writes a segment anew beside the old
    /// one.
    pub reserve_bytes: u64,
    /// Records kept in memory for readers at the tail, in bytes per topic.
    pub tail_bytes: usize,
    /// Apache Kafka, when `kind` says so.
    pub kafka: KafkaConfig,
}

/// What keeps the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogKind {
    /// Files in the data folder.
    #[default]
    Embedded,
    /// Topics of an Apache Kafka cluster.
    Kafka,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            kind: LogKind::default(),
            partitions: 12,
            segment_bytes: 256 << 20,
            reserve_bytes: 512 << 20,
            tail_bytes: 16 << 20,
            kafka: KafkaConfig::default(),
        }
    }
}
