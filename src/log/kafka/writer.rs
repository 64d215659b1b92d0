//! Appends: every record of a batch is handed to the client library at once, in order, and the
//! append ends when all copies that must have them have them.

use super::client::{Context, MESSAGE_BYTES_MAX, RECORD_BYTES_MAX};
use super::names::Names;
use super::record;
use crate::log::AppendError;
use futures_util::future::join_all;
use hooklog_schemas::{Append, Offset, Topic};
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::future_producer::OwnedDeliveryResult;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Of the time that a confirmation may take, an append waits this part for room in a full queue.
const ROOM_WAIT: u64 = 4;
/// How often it looks for that room.
const ROOM_LOOK: Duration = Duration::from_millis(5);
/// What is still on its way when the log is closed gets this long.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// One producer. Clones share it.
#[derive(Clone)]
pub(super) struct Writer {
    producer: FutureProducer<Context>,
    names: Arc<Names>,
    timeout_ms: u64,
    poison: watch::Sender<Option<String>>,
}

impl Writer {
    pub(super) fn new(
        client: &ClientConfig,
        context: Context,
        names: Arc<Names>,
        timeout_ms: u64,
        poison: watch::Sender<Option<String>>,
    ) -> KafkaResult<Self> {
        Ok(Self {
            producer: FutureProducer::from_config_and_context(client, context)?,
            names,
            timeout_ms,
            poison,
        })
    }

    /// Appends `batch`. Dropping the future does not undo it: everything was handed over when it
    /// was polled first, or is being handed over by a task of its own.
    pub(super) async fn append(
        &self,
        topic: Topic,
        batch: Vec<Append>,
    ) -> Result<Vec<Offset>, AppendError> {
        if let Some(reason) = self.poison.borrow().clone() {
            return Err(AppendError::Poisoned(reason));
        }
        for append in &batch {
            fits(append)?;
        }
        let mut sent = Vec::with_capacity(batch.len());
        let mut left = batch.into_iter();
        while let Some(append) = left.next() {
            match self.send(topic, &append) {
                Ok(future) => sent.push(future),
                Err(RDKafkaErrorCode::QueueFull) => {
                    let rest = std::iter::once(append).chain(left).collect();
                    sent.extend(self.send_rest(topic, rest).await?);
                    break;
                }
                Err(code) => return Err(self.failed(code)),
            }
        }
        self.confirmed(sent).await
    }

    fn send(&self, topic: Topic, append: &Append) -> Result<DeliveryFuture, RDKafkaErrorCode> {
        let mut message = FutureRecord::<[u8], [u8]>::to(self.names.of(topic))
            .partition(i32::try_from(append.partition.0).unwrap_or(i32::MAX))
            .key(append.key.0.as_bytes())
            .timestamp(record::millis(append))
            .headers(record::headers(append));
        if let Some(value) = &append.value {
            message = message.payload(value);
        }
        let sent = self.producer.send_result(message);
        sent.map_err(|(error, _)| code(&error))
    }

    /// Hands over what did not fit into the queue as soon as it does.
    async fn send_rest(
        &self,
        topic: Topic,
        rest: Vec<Append>,
    ) -> Result<Vec<DeliveryFuture>, AppendError> {
        let writer = self.clone();
        let handing = tokio::spawn(async move {
            let mut sent = Vec::with_capacity(rest.len());
            for append in &rest {
                sent.push(writer.send_when_there_is_room(topic, append).await?);
            }
            Ok(sent)
        });
        let handed = handing.await;
        handed.unwrap_or_else(|error| Err(AppendError::Unavailable(error.to_string())))
    }

    async fn send_when_there_is_room(
        &self,
        topic: Topic,
        append: &Append,
    ) -> Result<DeliveryFuture, AppendError> {
        let (began, wait) = (
            Instant::now(),
            Duration::from_millis(self.timeout_ms / ROOM_WAIT),
        );
        loop {
            match self.send(topic, append) {
                Err(RDKafkaErrorCode::QueueFull) if began.elapsed() < wait => {
                    tokio::time::sleep(ROOM_LOOK).await;
                }
                sent => return sent.map_err(|code| self.failed(code)),
            }
        }
    }

    /// Waits for all, so that an error comes after everything is decided.
    async fn confirmed(&self, sent: Vec<DeliveryFuture>) -> Result<Vec<Offset>, AppendError> {
        let results = join_all(sent).await;
        let lost = || AppendError::Unavailable("the producer was closed".into());
        let offset = |result: Result<OwnedDeliveryResult, _>| match result.map_err(|_| lost())? {
            Ok(delivery) => u64::try_from(delivery.offset).map(Offset).map_err(|_| {
                let reason = "the record was written, but no broker told its offset";
                AppendError::Unavailable(reason.into())
            }),
            Err((error, _)) => Err(self.failed(code(&error))),
        };
        results.into_iter().map(offset).collect()
    }

    fn failed(&self, code: RDKafkaErrorCode) -> AppendError {
        if let Some((_, reason)) = self.producer.client().fatal_error() {
            // The producer can no longer tell what was written, and refuses everything from now on.
            self.poison.send_replace(Some(reason.clone()));
            return AppendError::Poisoned(reason);
        }
        match code {
            RDKafkaErrorCode::MessageSizeTooLarge => AppendError::Unavailable(format!(
                "the broker finds the record too large: somebody lowered max.message.bytes of the \
                 topic; set it to {MESSAGE_BYTES_MAX}"
            )),
            RDKafkaErrorCode::QueueFull => AppendError::Unavailable(
                "too much waits for the brokers already (log.kafka.queue_bytes_max): are they up, \
                 and are min.insync.replicas of them in sync?"
                    .into(),
            ),
            RDKafkaErrorCode::MessageTimedOut => AppendError::Unavailable(format!(
                "no confirmation within {} ms, so the record may be there or not: are the brokers \
                 up, and are min.insync.replicas of them in sync?",
                self.timeout_ms
            )),
            code => AppendError::Unavailable(format!(
                "the brokers did not take the record, which may be there or not: {code}"
            )),
        }
    }

    /// Waits for what is on its way, up to a bound; called when the log is closed.
    pub(super) fn flush(&self) {
        if let Err(error) = self.producer.flush(FLUSH_MAX) {
            tracing::warn!(%error, "records were still on their way; nobody was told that they are durable");
        }
    }
}

fn code(error: &KafkaError) -> RDKafkaErrorCode {
    error
        .rdkafka_error_code()
        .unwrap_or(RDKafkaErrorCode::Unknown)
}

fn fits(append: &Append) -> Result<(), AppendError> {
    let headers: usize = append
        .headers
        .iter()
        .map(|header| header.name.len() + header.value.len())
        .sum();
    let bytes = headers + append.value.as_ref().map_or(0, bytes::Bytes::len);
    if bytes + record::OVERHEAD <= RECORD_BYTES_MAX {
        return Ok(());
    }
    Err(AppendError::TooLarge {
        bytes,
        limit: RECORD_BYTES_MAX - record::OVERHEAD,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::conformance::append;
    use crate::log::kafka::client;
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_producer_that_cannot_tell_what_was_written_poisons_the_log() {
        let brokers = MockCluster::new(1).unwrap();
        let names = Arc::new(Names::new("mock.", 1));
        brokers
            .create_topic(names.of(Topic::Control), 1, 1)
            .unwrap();
        let mut base = ClientConfig::new();
        base.set("bootstrap.servers", brokers.bootstrap_servers());
        let client = client::producer(&base, 20_000, 1 << 20);
        let poison = watch::Sender::new(None);
        let context = Context::default();
        let writer = Writer::new(&client, context, names, 20_000, poison.clone()).unwrap();
        let one = || vec![append(0, "{}")];
        writer.append(Topic::Control, one()).await.unwrap();
        // The broker misses records that it has confirmed.
        let lost = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
        brokers.request_errors(RDKafkaApiKey::Produce, &[lost]);
        for _ in 0..2 {
            let refused = writer.append(Topic::Control, one()).await;
            assert!(
                matches!(refused, Err(AppendError::Poisoned(_))),
                "{refused:?}"
            );
        }
        let why = poison.borrow().clone();
        assert!(why.is_some_and(|why| why.contains("sequence")), "not told");
    }
}
