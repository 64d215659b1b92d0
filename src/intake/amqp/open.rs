//! What is checked before a queue is used.

use super::dial::{Dial, DialError};
use super::queues::{self, Found, Look};
use crate::config::AmqpConfig;
use std::fmt;
use std::path::PathBuf;

/// Why the queue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file that the configuration names cannot be used.
    #[error("{key} = {}: {reason}", path.display())]
    File {
        /// The configuration's key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A node's address is none.
    #[error("intake.amqp.nodes: {0:?} is not host:port")]
    Node(String),
    /// The certificates cannot be used.
    #[error("intake.amqp: TLS cannot be used with these files: {0}")]
    Tls(String),
    /// No node answers.
    #[error(
        "no node of intake.amqp.nodes answers: {0}; is RabbitMQ running there, does that port expect \
         intake.amqp.tls = {1}, and with TLS, is its certificate signed by intake.amqp.ca_file?"
    )]
    Unreachable(String, bool),
    /// The nodes do not let this user in.
    #[error(
        "the broker refuses us: {0}; check intake.amqp.username, password_file and virtual_host, and \
         that the user may use that virtual host"
    )]
    Refused(String),
    /// A queue is missing.
    #[error(
        "there is no queue {queue} in the virtual host {virtual_host}; with intake.amqp.create = true \
         the next start makes what is missing, with the settings that are needed"
    )]
    NoQueue {
        /// The queue.
        queue: String,
        /// Where it should be.
        virtual_host: String,
    },
    /// Settings of queues could lose webhooks.
    #[error(
        "the settings of the queues are not safe (a queue's settings are fixed: make it anew, under \
         another name if it holds webhooks):{}",
        complaints(.0)
    )]
    Unsafe(Vec<Complaint>),
    /// The broker did not do what it was asked.
    #[error("the broker does not answer about the queue {queue}: {reason}")]
    Queue {
        /// The queue.
        queue: String,
        /// What it says.
        reason: String,
    },
}

/// A setting of a queue under which a confirmed webhook could be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub(super) queue: String,
    /// `name=value`, as it can be accepted.
    pub(super) setting: String,
    pub(super) wanted: &'static str,
    pub(super) because: &'static str,
    /// Whether anybody may want it.
    pub(super) acceptable: bool,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            queue,
            setting,
            wanted,
            because,
            acceptable,
        } = self;
        write!(f, "{queue} has {setting}, and needs {wanted}: {because}")?;
        match acceptable {
            true => write!(f, "; to accept that, add {setting:?} to intake.amqp.accept"),
            false => Ok(()),
        }
    }
}

fn complaints(all: &[Complaint]) -> String {
    all.iter().map(|one| format!("\n  {one}")).collect()
}

impl OpenError {
    fn dialling(error: DialError, config: &AmqpConfig) -> Self {
        match error {
            DialError::Unreachable(reason) => Self::Unreachable(reason, config.tls),
            DialError::Refused(reason) => Self::Refused(reason),
        }
    }

    fn missing(queue: &str, config: &AmqpConfig) -> Self {
        Self::NoQueue {
            queue: queue.to_owned(),
            virtual_host: config.virtual_host.clone(),
        }
    }
}

/// Checks that both queues are there, and that what is confirmed stays in them.
pub(super) async fn check(dial: &Dial, config: &AmqpConfig) -> Result<(), OpenError> {
    let meeting = dial.meet().await;
    let (connection, server) = meeting.map_err(|error| OpenError::dialling(error, config))?;
    let mut found = Vec::new();
    for queue in [&config.queue, &config.aside_queue] {
        found.extend(match queues::look(&connection, queue).await? {
            Look::Missing if config.create => {
                queues::make(&connection, queue, &Found::safe(&server)).await?;
                tracing::info!(queue, "made the queue");
                Vec::new()
            }
            Look::Missing => return Err(OpenError::missing(queue, config)),
            Look::Forbidden(reason) => vec![unchecked(queue, &reason)],
            Look::Found(settings) => settings.complaints(queue, &server),
        });
    }
    found.retain(|one| !(one.acceptable && config.accept.contains(&one.setting)));
    match found.is_empty() {
        true => Ok(()),
        false => Err(OpenError::Unsafe(found)),
    }
}

fn unchecked(queue: &str, reason: &str) -> Complaint {
    tracing::debug!(queue, reason, "the broker does not tell the settings");
    Complaint {
        queue: queue.to_owned(),
        setting: "settings=unknown".to_owned(),
        wanted: "that the user may `configure` it, which is how a broker is asked",
        because: "its settings might lose webhooks",
        acceptable: true,
    }
}
