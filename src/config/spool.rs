//! `[spool]`: a receiver's own buffer for the time in which the log is away.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A receiver's own buffer for the time in which the log is away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpoolConfig {
    /// A folder on a volume that outlives the process. Without one there is no spool, and webhooks
    /// that the log does not take are answered 503.
    pub folder: Option<PathBuf>,
    /// The operator's word that the folder outlives the process, its container and its machine's
    /// restart: what is in the spool was answered 200, and is nowhere else.
    pub persistent: bool,
    /// The most that the spool takes of its disk, in bytes; then webhooks are answered 503.
    pub bytes_max: u64,
    /// Bytes of the spool's disk that stay free; then webhooks are answered 503.
    pub reserve_bytes: u64,
    /// How long a webhook waits for the log before it goes into the spool, in milliseconds; never
    /// more than half of what is left of the time for its answer. Only the first ones of an outage
    /// wait at all.
    pub inlet_deadline_ms: u64,
    /// How old the receiver's last look at the configuration may be, in hours, for it to verify by
    /// while the log is away: for so long a secret that was retired meanwhile may still count.
    pub configuration_age_max_hours: u32,
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self {
            folder: None,
            persistent: false,
            // Some hours of a receiver's share at 200,000 events an hour.
            bytes_max: 4 << 30,
            reserve_bytes: 256 << 20,
            inlet_deadline_ms: 2_000,
            configuration_age_max_hours: 24,
        }
    }
}
