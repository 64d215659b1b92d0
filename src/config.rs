//! What the operator wrote, one section a file. Unknown keys are refused; units are in the names.

mod check;
mod deliver;
mod file;
mod intake;
mod keys;
mod load;
mod log;
mod project;
mod receive;
mod role;
mod show;
mod spool;

pub use deliver::DeliverConfig;
pub use intake::{
    AmqpConfig, ClaimCheckConfig, EventHubsConfig, EventHubsSecurity, IntakeConfig, IntakeKind,
    RedisConfig, SqsConfig,
};
pub(crate) use keys::distance;
pub use load::{ConfigError, Loaded, Origin, RESERVED, Sources, environment, load};
pub use log::{KafkaConfig, LogConfig, LogKind, Mechanism, Security};
pub use project::{MongodbConfig, OwnConfig, PostgresConfig, ProjectConfig, SslMode, StoreKind};
pub use receive::ReceiveConfig;
pub use role::{Role, Roles};
pub use spool::SpoolConfig;

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The whole configuration file. Everything has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What this process does; `all` is every role that applies.
    pub roles: Vec<Role>,
    /// The folder that holds the log, the tables and the key file.
    pub data: PathBuf,
    /// Where webhooks come in.
    pub listen: SocketAddr,
    /// Where API, console, health and metrics are served.
    pub api_listen: SocketAddr,
    /// Whether the console is served beside the API.
    pub console: bool,
    /// The key file; `key` in the data folder unless set.
    pub key_file: Option<PathBuf>,
    /// The longest time in which a stopping server finishes what it began, in milliseconds.
    pub shutdown_ms: u64,
    /// Receiving.
    pub receive: ReceiveConfig,
    /// A receiver's own buffer for the time in which the log is away.
    pub spool: SpoolConfig,
    /// A queue in front of the log.
    pub intake: IntakeConfig,
    /// The log.
    pub log: LogConfig,
    /// Delivering.
    pub deliver: DeliverConfig,
    /// Projecting.
    pub project: ProjectConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            roles: vec![Role::All],
            data: PathBuf::from("data"),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            api_listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            console: true,
            key_file: None,
            // GitHub waits for 10 s; one second is left for the network.
            shutdown_ms: 9_000,
            receive: ReceiveConfig::default(),
            spool: SpoolConfig::default(),
            intake: IntakeConfig::default(),
            log: LogConfig::default(),
            deliver: DeliverConfig::default(),
            project: ProjectConfig::default(),
        }
    }
}
