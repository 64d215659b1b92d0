//! `[intake.eventhubs]`: an event hub. Secrets stand in files, never here.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// An event hub of Azure, by its Kafka surface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventHubsConfig {
    /// The file that holds the connection string, as the portal shows it.
    pub connection_string_file: Option<PathBuf>,
    /// `host:port`, where it is not the connection string's: a private link, an emulator.
    pub address: Option<String>,
    /// How connections are protected.
    pub security: EventHubsSecurity,
    /// The event hub.
    pub hub: String,
    /// The event hub of messages that cannot be carried into the log.
    pub aside_hub: String,
    /// The consumer group that all movers share.
    pub group: String,
    /// Whether a start makes the event hubs that are missing.
    pub create: bool,
    /// Partitions of an event hub that is made; more movers than this have nothing to do.
    pub partitions: u32,
    /// The largest message, in bytes; larger bodies go by claim check.
    pub message_bytes_max: usize,
    /// How long a webhook may wait for its confirmation, in milliseconds.
    pub enqueue_timeout_ms: u64,
    /// Settings of the event hubs that are weaker than they should be, each as `name=value`: who
    /// names one here accepts that a confirmed webhook can be lost.
    pub accept: Vec<String>,
}

/// How connections are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventHubsSecurity {
    /// TLS, as Azure has it.
    #[default]
    SaslSsl,
    /// None at all, key and webhooks can be read on the way: an emulator on the same machine.
    SaslPlaintext,
}

impl EventHubsSecurity {
    /// As Kafka's own settings write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SaslSsl => "sasl_ssl",
            Self::SaslPlaintext => "sasl_plaintext",
        }
    }
}

impl EventHubsConfig {
    /// The names that `accept` may have: settings of an event hub.
    pub const ACCEPTABLE: [&'static str; 1] = ["retention.ms"];
}

impl Default for EventHubsConfig {
    fn default() -> Self {
        Self {
            connection_string_file: None,
            address: None,
            security: EventHubsSecurity::default(),
            hub: "hooklog".into(),
            aside_hub: "hooklog-aside".into(),
            group: "hooklog".into(),
            create: false,
            partitions: 4,
            // 1 MB is the limit of the tiers Standard and Premium, with what surrounds a message.
            message_bytes_max: 1_000_000,
            // GitHub waits for 10 s.
            enqueue_timeout_ms: 8_000,
            accept: Vec::new(),
        }
    }
}
