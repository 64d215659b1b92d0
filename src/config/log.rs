//! `[log]`: the embedded log.

use serde::{Deserialize, Serialize};

/// The embedded log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Partitions of `webhooks` and `deliveries`, fixed when the log is made.
    pub partitions: u32,
    /// A segment is closed when it is larger than this.
    pub segment_bytes: u64,
    /// Free bytes below which no webhook is taken (503): deliveries, control and erasure still fit.
    /// At least `segment_bytes`, since a compaction writes a segment anew beside the old one.
    pub reserve_bytes: u64,
    /// Records kept in memory for readers at the tail, in bytes per topic.
    pub tail_bytes: usize,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            partitions: 12,
            segment_bytes: 256 << 20,
            reserve_bytes: 512 << 20,
            tail_bytes: 16 << 20,
        }
    }
}
