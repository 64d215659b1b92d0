//! `[intake.redis]`: a stream in Redis. Secrets stand in files, never here.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A queue in Redis Streams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisConfig {
    /// `redis://host:port/database`, or `rediss://` for TLS. No user and no password.
    pub url: String,
    /// The user (ACL); `default` unless set.
    pub username: Option<String>,
    /// The file that holds the password.
    pub password_file: Option<PathBuf>,
    /// Certificates (PEM) of those who may sign the server's; the system's unless set.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate (PEM), where the server asks for one.
    pub cert_file: Option<PathBuf>,
    /// The key (PEM) of `cert_file`.
    pub key_file: Option<PathBuf>,
    /// The key of the stream. What is set aside is in another, whose key ends in `.aside`.
    pub stream: String,
    /// The consumer group that all movers share.
    pub group: String,
    /// What `XINFO CONSUMERS` calls this mover. It need not be unique.
    pub consumer: String,
    /// Settings of the server that are weaker than they should be, each as `name=value`: who names
    /// one here accepts that a confirmed webhook can be lost.
    pub accept: Vec<String>,
    /// Replicas that must have a webhook before it counts as enqueued; for servers with a failover.
    pub replicas_min: u32,
    /// How long the server may take for an answer, in milliseconds.
    pub timeout_ms: u64,
    /// What a mover has not acknowledged after this is given to another, in milliseconds.
    pub redelivery_ms: u64,
    /// The largest message, in bytes; larger bodies go by claim check.
    pub message_bytes_max: usize,
}

impl RedisConfig {
    /// The names that `accept` may have: settings of the server, and `settings` for those of a server
    /// that does not show them.
    pub const ACCEPTABLE: [&'static str; 4] =
        ["appendonly", "appendfsync", "maxmemory-policy", "settings"];
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            username: None,
            password_file: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            stream: "hooklog.intake".into(),
            group: "hooklog".into(),
            consumer: "append".into(),
            accept: Vec::new(),
            replicas_min: 0,
            timeout_ms: 5_000,
            redelivery_ms: 60_000,
            // A form-encoded body may have 40 MiB.
            message_bytes_max: 42 << 20,
        }
    }
}
