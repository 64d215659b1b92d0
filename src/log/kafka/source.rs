//! Reads from memory where it has the record, and from the brokers where it has not.

use super::client::{self, Context};
use super::names::Names;
use super::readers::{Readers, Wanted};
use super::tail::{Found, Tail};
use crate::log::{Bounds, ReadError, ReadLimit};
use hooklog_schemas::{Offset, Partition, Position, Record, Topic};
use rdkafka::consumer::{BaseConsumer, Consumer as _, StreamConsumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::BorrowedMessage;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a reader waits for the follower to get what is confirmed already, before it asks the
/// brokers itself.
const SOON: Duration = Duration::from_secs(1);
/// How long one question about bounds may take before it is asked again.
const ASK: Duration = Duration::from_secs(5);
/// The pause after a question that nobody answered.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Where records are read from.
pub(super) struct Source {
    pub(super) names: Arc<Names>,
    pub(super) tail: Tail,
    pub(super) readers: Arc<Readers>,
    /// Follows the ends.
    pub(super) consumer: StreamConsumer<Context>,
    /// Answers questions, and fetches nothing: a broker takes the requests of a connection one by
    /// one, so behind a fetch that waits for records they would wait too.
    pub(super) asker: Arc<BaseConsumer<Context>>,
    pub(super) patience: Duration,
}

impl Source {
    pub(super) async fn read(
        &self,
        from: Position,
        limit: ReadLimit,
    ) -> Result<Vec<Arc<Record>>, ReadError> {
        let began = Instant::now();
        while let Some(part) = self.tail.of(&from) {
            let told = part.appended.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            match self.tail.find(from, limit) {
                Found::Records(records) => return Ok(records),
                Found::Nothing => return Ok(Vec::new()),
                Found::Unknown => break,
                Found::Soon => {}
            }
            let left = SOON.saturating_sub(began.elapsed());
            if tokio::time::timeout(left, told).await.is_err() {
                break;
            }
        }
        self.read_from_brokers(from, limit).await
    }

    async fn read_from_brokers(
        &self,
        from: Position,
        limit: ReadLimit,
    ) -> Result<Vec<Arc<Record>>, ReadError> {
        let known = self.tail.of(&from);
        let known = known.map(|part| {
            part.with(|state| {
                (
                    state.followed_from(),
                    state.end(),
                    state.is_certain(from.offset),
                )
            })
        });
        let (end, certain) = match known {
            // Everything before the followed end, or before what was confirmed, is written.
            Some((Some(start), end, certain)) if from.offset < start => (end.max(start), certain),
            Some((_, end, true)) => (end, true),
            _ => (self.bounds(from.topic, from.partition).await?.tail, false),
        };
        if from.offset >= end {
            return Ok(Vec::new());
        }
        let records = self
            .readers
            .read(Wanted {
                from,
                limit,
                single: limit.records <= 1,
                end,
                certain,
                floor: self.tail.floor(&from),
                patience: self.patience,
            })
            .await?;
        if records.is_empty()
            && let Some(part) = self.tail.of(&from)
        {
            part.with(|state| state.nothing(from.offset, end));
        }
        self.tail.remember(&records);
        Ok(records)
    }

    /// Takes a record from the end of its partition.
    pub(super) fn take(&self, message: &BorrowedMessage<'_>) -> Result<(), ReadError> {
        if let Some(erases) = self.tail.take(message)? {
            self.readers.erase(&erases);
        }
        Ok(())
    }

    pub(super) async fn bounds(
        &self,
        topic: Topic,
        partition: Partition,
    ) -> Result<Bounds, ReadError> {
        let asker = Arc::clone(&self.asker);
        let name = self.names.of(topic).to_owned();
        let patience = self.patience;
        let asking = tokio::task::spawn_blocking(move || ask(&asker, &name, partition, patience));
        let answer = asking.await;
        let bounds =
            answer.unwrap_or_else(|error| Err(ReadError::Unavailable(error.to_string())))?;
        if let Some(part) = self.tail.part(topic, partition)
            && part.with(|state| state.ends(bounds.tail))
        {
            part.appended.notify_waiters();
        }
        Ok(bounds)
    }

    /// Asks the brokers for the ends of what is followed. A consumer may stay silent for minutes
    /// after its broker was away; whoever waits then reads by another one.
    pub(super) async fn look_at_ends(&self) {
        for (topic, partition) in self.names.all() {
            let part = self.tail.part(topic, partition);
            if part.is_some_and(|part| part.with(|state| state.is_followed()))
                && let Err(error) = self.bounds(topic, partition).await
            {
                tracing::debug!(%error, "the end of a partition is not known now");
                return;
            }
        }
    }

    /// Whether there is something to read at `at`. What memory does not know is found out, and who
    /// waits is told.
    pub(super) fn readable(self: &Arc<Self>, at: &Position) -> bool {
        let Some(part) = self.tail.of(at) else {
            return false;
        };
        let ask = part.with(|state| {
            let readable = state.readable(at.offset);
            if readable.is_none() && !state.asking {
                state.asking = true;
                return Err(());
            }
            Ok(readable == Some(true))
        });
        match ask {
            Ok(readable) => readable,
            Err(()) => {
                let (source, at) = (Arc::clone(self), *at);
                tokio::spawn(async move { source.find_out(at).await });
                false
            }
        }
    }

    /// Looks whether a record stands at `at` or after it, and asks to follow the partition.
    async fn find_out(&self, at: Position) {
        let Some(part) = self.tail.of(&at) else {
            return;
        };
        if let Err(error) = self.look(at).await {
            tracing::warn!(position = %at, %error, "the end of a partition cannot be followed yet");
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        part.with(|state| state.asking = false);
        part.appended.notify_waiters();
    }

    async fn look(&self, at: Position) -> Result<(), ReadError> {
        let Some(part) = self.tail.of(&at) else {
            return Ok(());
        };
        let followed = part.with(|state| state.followed_from());
        let end = match followed {
            Some(start) => start,
            None => self.bounds(at.topic, at.partition).await?.tail,
        };
        if at.offset < end {
            let one = ReadLimit {
                records: 1,
                bytes: 0,
            };
            let found = self.read_from_brokers(at, one).await?;
            match found.first() {
                Some(record) => part.with(|state| state.exists(record.position.offset)),
                None => part.with(|state| state.nothing(at.offset, end)),
            }
        }
        part.with(|state| state.ask(end));
        self.tail.asked.notify_one();
        Ok(())
    }
}

/// Asks until there is an answer, or patience ends. Blocks.
fn ask(
    asker: &BaseConsumer<Context>,
    topic: &str,
    partition: Partition,
    patience: Duration,
) -> Result<Bounds, ReadError> {
    let began = Instant::now();
    let number = i32::try_from(partition.0).unwrap_or(i32::MAX);
    loop {
        client::serve(asker);
        let error = match asker.fetch_watermarks(topic, number, ASK) {
            Ok((low, high)) => {
                let offset = |raw: i64| Offset(u64::try_from(raw).unwrap_or_default());
                return Ok(Bounds {
                    start: offset(low),
                    tail: offset(high),
                });
            }
            Err(error) => error,
        };
        let gone = [
            RDKafkaErrorCode::UnknownTopicOrPartition,
            RDKafkaErrorCode::TopicAuthorizationFailed,
        ];
        let hopeless = error
            .rdkafka_error_code()
            .is_some_and(|code| gone.contains(&code));
        if hopeless || began.elapsed() > patience {
            return Err(ReadError::Unavailable(format!(
                "no broker tells the bounds of {topic}/{partition}: {error}"
            )));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
