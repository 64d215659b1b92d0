//! An event hub of Azure, by its Kafka surface. `docs/queues.md` has the settings, and what they
//! promise.
//!
//! # What is honoured where
//! - A message is confirmed when the service has its copies: `acks=all` (`client.rs`). The service
//!   knows neither idempotent producers nor compression, so a retry may enqueue a message twice.
//! - An event hub is no queue: it forgets by age alone. A consumer group's offset says what is
//!   acknowledged, and stands beside it what was acknowledged out of order (`positions.rs`).
//!   Offsets are committed before an acknowledgement returns (`reading.rs`).
//! - Event hubs that forget too soon are refused (`open.rs`).
//! - When movers come and go, the service hands their partitions round: what a mover had not
//!   acknowledged comes again to another.

mod aside;
mod client;
mod open;
mod positions;
mod reading;

pub use client::ConnectionStringError;
pub use open::{Complaint, OpenError};

use super::{Depth, Intake, IntakeError, Received, Token, check_sizes};
use crate::config::EventHubsConfig;
use async_trait::async_trait;
use bytes::Bytes;
use client::{Context, setting};
use futures_util::future::try_join_all;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord};
use reading::Reading;
use std::time::Duration;

/// A producer and consumer of one event hub.
pub struct EventHubsIntake {
    config: EventHubsConfig,
    producer: FutureProducer<Context>,
    reading: Reading,
    context: Context,
    base: rdkafka::ClientConfig,
}

impl EventHubsIntake {
    /// Connects, and checks that the event hubs are there and keep messages for long enough.
    ///
    /// # Errors
    /// A service that does not answer or refuses, event hubs that are missing or unsafe. See
    /// [`OpenError`].
    pub async fn open(config: &EventHubsConfig) -> Result<Self, OpenError> {
        let base = client::base(config)?;
        let context = Context::default();
        open::check(&base, config).await?;
        let producer = client::producer(&base, config);
        let producer = FutureProducer::from_config_and_context(&producer, context.clone());
        Ok(Self {
            producer: producer.map_err(|error| setting(&error))?,
            reading: Reading::new(client::consumer(&base, config), &config.hub),
            config: config.clone(),
            context,
            base,
        })
    }

    /// Returns once the service has confirmed all of `messages`.
    async fn produce(&self, hub: &str, messages: &[Bytes]) -> Result<(), IntakeError> {
        let mut confirming = Vec::with_capacity(messages.len());
        for message in messages {
            let record = FutureRecord::<(), [u8]>::to(hub).payload(message.as_ref());
            let sent = self.producer.send_result(record);
            confirming.push(sent.map_err(|(error, _)| self.failed(&error))?);
        }
        let ended = |_| IntakeError::Unavailable("the producer ended".to_owned());
        for confirmed in try_join_all(confirming).await.map_err(ended)? {
            confirmed.map_err(|(error, _)| self.failed(&error))?;
        }
        Ok(())
    }

    fn failed(&self, error: &KafkaError) -> IntakeError {
        let why = self.context.why(error);
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => {
                IntakeError::Unavailable(format!("too much waits for its confirmation; {why}"))
            }
            Some(
                RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::MessageSizeTooLarge,
            ) => IntakeError::Refused(why),
            _ if self.context.refused().is_some() => IntakeError::Refused(why),
            _ => IntakeError::Unavailable(why),
        }
    }
}

#[async_trait]
impl Intake for EventHubsIntake {
    fn message_bytes_max(&self) -> usize {
        self.config.message_bytes_max
    }

    async fn enqueue(&self, messages: Vec<Bytes>) -> Result<(), IntakeError> {
        check_sizes(&messages, self.config.message_bytes_max)?;
        self.produce(&self.config.hub, &messages).await
    }

    async fn receive(&self, limit: usize) -> Result<Vec<Received>, IntakeError> {
        self.reading.receive(limit).await
    }

    async fn acknowledge(&self, tokens: Vec<Token>) -> Result<(), IntakeError> {
        self.reading.acknowledge(&tokens).await
    }

    async fn set_aside(&self, message: Received) -> Result<(), IntakeError> {
        self.produce(&self.config.aside_hub, &[message.bytes])
            .await?;
        self.reading.acknowledge(&[message.token]).await
    }

    async fn bring_back(&self) -> Result<u64, IntakeError> {
        let reading = client::consumer(&self.base, &self.config);
        let mut aside = aside::open(reading, &self.config.aside_hub).await?;
        let mut back = 0;
        while let Some(one) = aside.next().await? {
            self.produce(&self.config.hub, &[one]).await?;
            aside.forget().await?;
            back += 1;
        }
        Ok(back)
    }

    async fn depth(&self) -> Result<Depth, IntakeError> {
        let settings = client::consumer(&self.base, &self.config);
        let waiting = aside::count(settings.clone(), &self.config.hub).await?;
        let aside = aside::count(settings, &self.config.aside_hub).await?;
        Ok(Depth {
            waiting: Some(waiting),
            aside: Some(aside),
        })
    }
}

/// How long the service may take for one answer.
const ANSWER: Duration = Duration::from_secs(8);

/// Does work that blocks, elsewhere.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, IntakeError> + Send + 'static,
) -> Result<T, IntakeError> {
    let ended = |error| IntakeError::Unavailable(format!("the work ended: {error}"));
    tokio::task::spawn_blocking(work).await.map_err(ended)?
}

/// What an error of a consumer means to who asked.
fn unavailable(error: KafkaError) -> IntakeError {
    IntakeError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests;
