//! `[intake.sqs]`: a queue of Amazon SQS. Secrets stand in files, never here.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A standard queue of Amazon SQS, or of a server that speaks its protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqsConfig {
    /// The queue's name, or its URL where the role may not ask for it.
    pub queue: String,
    /// Where messages go that cannot be carried into the log: a name or a URL, too.
    pub aside_queue: String,
    /// Whether a start makes the queues that are missing.
    pub create: bool,
    /// The region; the machine's unless set.
    pub region: Option<String>,
    /// The server's own address, where it is not the provider's: a private link, another server.
    pub endpoint: Option<String>,
    /// The id of an access key; without one the machine's or the pod's role is used.
    pub access_key_id: Option<String>,
    /// The file that holds the access key.
    pub access_key_file: Option<PathBuf>,
    /// The largest message and batch that the service takes, in bytes; the queue's own limit counts
    /// where it is lower. Messages take 4 bytes for 3, since they have to be text.
    pub payload_bytes_max: usize,
    /// What a mover has not acknowledged after this comes again, in seconds; it is lengthened for what
    /// a mover still has.
    pub visibility_timeout_s: u32,
    /// How long an answer may take, in milliseconds.
    pub timeout_ms: u64,
    /// Settings of the queues that are weaker than they should be, each as `name=value`: who names
    /// one here accepts that a confirmed webhook can be lost.
    pub accept: Vec<String>,
}

impl SqsConfig {
    /// The names that `accept` may have: attributes of the queues, and `settings` for queues whose
    /// attributes the role may not read.
    pub const ACCEPTABLE: [&'static str; 3] =
        ["MessageRetentionPeriod", "RedrivePolicy", "settings"];
}

impl Default for SqsConfig {
    fn default() -> Self {
        Self {
            queue: "hooklog".into(),
            aside_queue: "hooklog-aside".into(),
            create: false,
            region: None,
            endpoint: None,
            access_key_id: None,
            access_key_file: None,
            // Amazon's limit since August 2025.
            payload_bytes_max: 1 << 20,
            visibility_timeout_s: 60,
            // GitHub waits for 10 s.
            timeout_ms: 8_000,
            accept: Vec::new(),
        }
    }
}
