//! `[project]`: tables.

use serde::{Deserialize, Serialize};

/// Tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectConfig {
    /// Events folded into one transaction at the most.
    pub batch_events_max: usize,
    /// The shortest pause between two transactions, in milliseconds: larger batches cost less.
    pub batch_wait_ms: u64,
}

impl Default for ProjectConfig {
    fn default() -> Self {
        Self {
            batch_events_max: 8_192,
            batch_wait_ms: 100,
        }
    }
}
