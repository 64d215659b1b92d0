//! `[project.own]`: projections of your own, each a folder with a description and SQL.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Projections of your own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnConfig {
    /// The folder that holds a folder for each of them. Without it there are none.
    pub folder: Option<PathBuf>,
    /// Events handed to their statements at a time, at the most.
    pub batch_events_max: usize,
    /// How long one of their statements may take, in milliseconds.
    pub timeout_ms: u64,
    /// How large the file of one set of tables may become, in bytes, when `project.store` is SQLite.
    pub file_bytes_max: u64,
    /// Where their tables are, when `project.store` is PostgreSQL: as `project.postgres.url`, with a
    /// user who has no right on hooklog's own tables.
    pub postgres_url: Option<String>,
    /// The file that holds that user's password; it is read anew for every connection.
    pub postgres_password_file: Option<PathBuf>,
}

impl Default for OwnConfig {
    fn default() -> Self {
        Self {
            folder: None,
            batch_events_max: 1_000,
            timeout_ms: 30_000,
            file_bytes_max: 10 << 30,
            postgres_url: None,
            postgres_password_file: None,
        }
    }
}
