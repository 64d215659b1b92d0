//! `[intake]`: a queue in front of the log.

mod amqp;
mod claim_check;
mod eventhubs;
mod redis;
mod sqs;

pub use amqp::AmqpConfig;
pub use claim_check::ClaimCheckConfig;
pub use eventhubs::{EventHubsConfig, EventHubsSecurity};
pub use redis::RedisConfig;
pub use sqs::SqsConfig;

use serde::{Deserialize, Serialize};

/// A queue in front of the log: receivers enqueue, the mover carries into the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntakeConfig {
    /// Which queue.
    pub kind: IntakeKind,
    /// Webhooks that wait for the queue's confirmation in a receiver, in bytes; more get 503.
    pub waiting_bytes_max: usize,
    /// Messages that the mover carries into the log at once, at the most.
    pub batch_messages_max: usize,
    /// Where bodies lie that are too large for the queue.
    pub claim_check: ClaimCheckConfig,
    /// AMQP 0.9.1, when `kind` says so.
    pub amqp: AmqpConfig,
    /// Azure Event Hubs, when `kind` says so.
    pub eventhubs: EventHubsConfig,
    /// Redis Streams, when `kind` says so.
    pub redis: RedisConfig,
    /// Amazon SQS, when `kind` says so.
    pub sqs: SqsConfig,
}

/// What stands in front of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntakeKind {
    /// Nothing: receivers append to the log.
    #[default]
    None,
    /// A queue of an AMQP 0.9.1 broker, as RabbitMQ.
    Amqp,
    /// A hub of Azure Event Hubs.
    EventHubs,
    /// A stream in Redis.
    Redis,
    /// A queue of Amazon SQS.
    Sqs,
}

impl Default for IntakeConfig {
    fn default() -> Self {
        Self {
            kind: IntakeKind::default(),
            waiting_bytes_max: 128 << 20,
            batch_messages_max: 128,
            claim_check: ClaimCheckConfig::default(),
            amqp: AmqpConfig::default(),
            eventhubs: EventHubsConfig::default(),
            redis: RedisConfig::default(),
            sqs: SqsConfig::default(),
        }
    }
}
