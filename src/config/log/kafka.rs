//! `[log.kafka]`: brokers, topics, and how to get in. Secrets stand in files, never here.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The log on Apache Kafka.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaConfig {
    /// `host:port` of some brokers; they name the others.
    pub brokers: Vec<String>,
    /// What the names of the three topics begin with.
    pub topic_prefix: String,
    /// How connections are protected, and whether a user is named.
    pub security: Security,
    /// How the user is proved, where `security` names one.
    pub sasl_mechanism: Mechanism,
    /// The user of PLAIN and SCRAM.
    pub username: Option<String>,
    /// The file that holds the user's password.
    pub password_file: Option<PathBuf>,
    /// The file that holds the token of OAUTHBEARER; it is read anew before the token ends.
    pub token_file: Option<PathBuf>,
    /// Certificates (PEM) of those who may sign a broker's; the system's unless set.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate (PEM), where brokers ask for one.
    pub cert_file: Option<PathBuf>,
    /// The key (PEM) of `cert_file`.
    pub key_file: Option<PathBuf>,
    /// Copies of each partition that `hooklog log init` asks for.
    pub replication_factor: u32,
    /// Copies that must have a record before it counts as appended (`hooklog log init`).
    pub min_insync_replicas: u32,
    /// How long a webhook may wait for its confirmation, in milliseconds.
    pub webhook_timeout_ms: u64,
    /// How long decisions, attempts and commands may, in milliseconds: a broker may restart.
    pub decision_timeout_ms: u64,
    /// How long a read may wait for a broker before its reader fails, in milliseconds.
    pub read_timeout_ms: u64,
    /// How long a worker may be silent before its partitions go to others, in milliseconds.
    pub session_timeout_ms: u64,
    /// Records that wait for confirmation, in bytes; beyond it appends wait, then fail.
    pub queue_bytes_max: u64,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            topic_prefix: "hooklog.".into(),
            security: Security::default(),
            sasl_mechanism: Mechanism::default(),
            username: None,
            password_file: None,
            token_file: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            replication_factor: 3,
            min_insync_replicas: 2,
            // GitHub waits for 10 s.
            webhook_timeout_ms: 8_000,
            decision_timeout_ms: 120_000,
            read_timeout_ms: 120_000,
            // Brokers take no less than 6 s by default; nobody delivers meanwhile.
            session_timeout_ms: 10_000,
            // Three records of the largest size.
            queue_bytes_max: 128 << 20,
        }
    }
}

/// How connections to brokers are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// Not at all.
    #[default]
    Plaintext,
    /// TLS.
    Ssl,
    /// A user is named, and everything can be read on the way.
    SaslPlaintext,
    /// A user is named, over TLS.
    SaslSsl,
}

impl Security {
    /// Whether a user is named.
    #[must_use]
    pub const fn names_a_user(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    /// As Kafka's own settings write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }
}

/// How a user is proved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mechanism {
    /// The password itself.
    #[default]
    #[serde(rename = "PLAIN")]
    Plain,
    /// A challenge, with SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// A challenge, with SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    /// A token that ends: MSK IAM, Entra.
    #[serde(rename = "OAUTHBEARER")]
    OauthBearer,
}

impl Mechanism {
    /// As Kafka's own settings write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }
}
