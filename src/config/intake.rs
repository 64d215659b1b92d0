//! `[intake]`: a queue in front of the log.

mod amqp;
mod eventhubs;
mod sqs;

pub use amqp::AmqpConfig;
pub use eventhubs::{EventHubsConfig, EventHubsSecurity};
pub use sqs::SqsConfig;
