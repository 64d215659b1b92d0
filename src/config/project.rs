//! `[project]`: tables.

mod mongodb;
mod own;
mod postgres;

pub use mongodb::MongodbConfig;
pub use own::OwnConfig;
pub use postgres::{PostgresConfig, SslMode};

use serde::{Deserialize, Serialize};

/// Tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectConfig {
    /// What keeps the tables.
    pub store: StoreKind,
    /// Events folded into one transaction at the most.
    pub batch_events_max: usize,
    /// The shortest pause between two transactions, in milliseconds: larger batches cost less.
    pub batch_wait_ms: u64,
    /// How long nobody else may write the tables after their writer was last heard of, in
    /// milliseconds. One that is stopped gives its lease back; one that is killed keeps it so long.
    pub lease_ms: u64,
    /// Whether a server that starts rebuilds tables of an earlier version beside the ones that
    /// answer, and switches to them, without being asked.
    pub rebuild_on_start: bool,
    /// MongoDB, when `store` says so.
    pub mongodb: MongodbConfig,
    /// PostgreSQL, when `store` says so.
    pub postgres: PostgresConfig,
    /// Projections of your own.
    pub own: OwnConfig,
}

/// What keeps the tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// A file in the data folder.
    #[default]
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
    /// MongoDB servers.
    Mongodb,
}

impl Default for ProjectConfig {
    fn default() -> Self {
        Self {
            store: StoreKind::default(),
            batch_events_max: 8_192,
            batch_wait_ms: 100,
            lease_ms: 15_000,
            rebuild_on_start: true,
            mongodb: MongodbConfig::default(),
            postgres: PostgresConfig::default(),
            own: OwnConfig::default(),
        }
    }
}
