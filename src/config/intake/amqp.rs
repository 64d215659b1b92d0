//! `[intake.amqp]`: a queue of RabbitMQ. Secrets stand in files, never here.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A queue behind AMQP 0.9.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AmqpConfig {
    /// `host:port` of the nodes; the first that answers is taken.
    pub nodes: Vec<String>,
    /// The virtual host.
    pub virtual_host: String,
    /// The user; without one, the certificate of `cert_file` says who we are (EXTERNAL).
    pub username: Option<String>,
    /// The file that holds the user's password.
    pub password_file: Option<PathBuf>,
    /// Whether connections are TLS.
    pub tls: bool,
    /// Certificates (PEM) of those who may sign a node's; the system's unless set.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate (PEM), where nodes ask for one.
    pub cert_file: Option<PathBuf>,
    /// The key (PEM) of `cert_file`.
    pub key_file: Option<PathBuf>,
    /// The queue.
    pub queue: String,
    /// Where messages go that cannot be carried into the log.
    pub aside_queue: String,
    /// Whether a start makes the queues that are missing.
    pub create: bool,
    /// The largest message, in bytes; larger bodies go by claim check. A broker has a limit of its
    /// own (`max_message_size`), which is above this.
    pub message_bytes_max: usize,
    /// Messages that a consumer may have unacknowledged.
    pub prefetch: u16,
    /// How long a webhook may wait for its confirmation, in milliseconds.
    pub enqueue_timeout_ms: u64,
    /// Settings of the queues that are weaker than they should be, each as `name=value`: who names
    /// one here accepts that a confirmed webhook can be lost.
    pub accept: Vec<String>,
}

impl AmqpConfig {
    /// The names that `accept` may have: arguments of the queues, and `settings` for queues whose
    /// settings the user may not ask for.
    pub const ACCEPTABLE: [&'static str; 7] = [
        "x-queue-type",
        "x-message-ttl",
        "x-expires",
        "x-max-length",
        "x-max-length-bytes",
        "x-delivery-limit",
        "settings",
    ];
}

impl Default for AmqpConfig {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            virtual_host: "/".into(),
            username: None,
            password_file: None,
            tls: false,
            ca_file: None,
            cert_file: None,
            key_file: None,
            queue: "hooklog".into(),
            aside_queue: "hooklog.aside".into(),
            create: false,
            // Half of what RabbitMQ takes from 4.0 on.
            message_bytes_max: 8 << 20,
            // As many as the mover carries at once.
            prefetch: 128,
            // GitHub waits for 10 s.
            enqueue_timeout_ms: 8_000,
            accept: Vec::new(),
        }
    }
}
