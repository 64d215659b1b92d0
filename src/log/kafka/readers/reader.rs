//! One consumer that reads one partition at a time.

use super::Wanted;
use crate::log::ReadError;
use crate::log::kafka::client::Context;
use crate::log::kafka::names::Names;
use crate::log::kafka::record;
use hooklog_schemas::{Offset, Position, Record, Timestamp};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{ClientConfig, Offset as KafkaOffset, TopicPartitionList};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a broker may say that the end is reached while there certainly is a record: a new
/// leader learns only after a moment how far its predecessor had come.
const DOUBT_MAX: Duration = Duration::from_secs(3);

/// How long one poll waits for the brokers.
const POLL: Duration = Duration::from_millis(100);

/// One consumer.
pub(super) struct Reader {
    consumer: BaseConsumer<Context>,
    names: Arc<Names>,
    /// Whether it reads one record here and one there.
    pub(super) single: bool,
    /// Where it reads on; none where it does not stand anywhere.
    pub(super) at: Option<Position>,
    /// When it was used last.
    pub(super) used: Instant,
    /// A record that was over the limit of the read before.
    held: Option<Arc<Record>>,
}

impl Reader {
    pub(super) fn new(
        client: &ClientConfig,
        context: Context,
        names: Arc<Names>,
        single: bool,
    ) -> KafkaResult<Self> {
        Ok(Self {
            consumer: BaseConsumer::from_config_and_context(client, context)?,
            names,
            single,
            at: None,
            used: Instant::now(),
            held: None,
        })
    }

    /// Reads what is wanted. Blocks.
    pub(super) fn read(&mut self, wanted: &Wanted) -> Result<Vec<Arc<Record>>, ReadError> {
        if self.at != Some(wanted.from) {
            let stands = self.stand(wanted.from);
            stands.map_err(|error| ReadError::Unavailable(error.to_string()))?;
        }
        let mut some = Gathered {
            wanted,
            records: Vec::new(),
            bytes: 0,
            floor: wanted.floor,
        };
        let done = self.gather(&mut some)?;
        let next = some.records.last().map(|last| last.position.offset.next());
        let next = next.unwrap_or(wanted.from.offset);
        self.used = Instant::now();
        self.at = Some(Position {
            offset: next,
            ..wanted.from
        });
        if done == Done::End || self.single {
            // Who reads at the end is served from memory: this consumer need not stay and ask.
            self.leave();
        }
        Ok(some.records)
    }

    fn gather(&mut self, some: &mut Gathered<'_>) -> Result<Done, ReadError> {
        let began = Instant::now();
        let mut ended: Option<Instant> = None;
        let mut problem = None;
        loop {
            if let Some(held) = self.held.take() {
                some.add(held);
            }
            if let Some(done) = some.is_done() {
                return Ok(done);
            }
            let wait = if self.single && !some.records.is_empty() {
                Duration::ZERO
            } else {
                POLL
            };
            match self.consumer.poll(wait) {
                Some(Ok(message)) => {
                    let offset = u64::try_from(message.offset()).unwrap_or_default();
                    if offset < some.next().0 {
                        continue;
                    }
                    let topic = some.wanted.from.topic;
                    let record = Arc::new(record::read(&message, topic, some.floor)?);
                    if !some.fits(&record) {
                        self.held = Some(record);
                        return Ok(Done::Limit);
                    }
                    some.add(record);
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    if !some.wanted.certain || !some.records.is_empty() {
                        return Ok(Done::End);
                    }
                    ended.get_or_insert_with(Instant::now);
                }
                Some(Err(error)) => {
                    fatal(&error, &some.wanted.from)?;
                    problem = Some(error.to_string());
                }
                // What came along with the record is here; nobody waits for more.
                None if wait.is_zero() => return Ok(Done::Limit),
                None => {}
            }
            if ended.is_some_and(|ended| ended.elapsed() > DOUBT_MAX) {
                return Ok(Done::End);
            }
            if began.elapsed() > some.wanted.patience {
                let problem = problem.unwrap_or_else(|| "no broker answered".into());
                return Err(ReadError::Unavailable(format!(
                    "reading {} took longer than {} ms (log.kafka.read_timeout_ms): {problem}",
                    some.wanted.from,
                    some.wanted.patience.as_millis()
                )));
            }
        }
    }

    fn stand(&mut self, at: Position) -> KafkaResult<()> {
        self.held = None;
        self.at = None;
        let partition = i32::try_from(at.partition.0).unwrap_or(i32::MAX);
        let offset = KafkaOffset::Offset(i64::try_from(at.offset.0).unwrap_or(i64::MAX));
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(self.names.of(at.topic), partition, offset)?;
        self.consumer.assign(&list)
    }

    fn leave(&mut self) {
        self.held = None;
        self.at = None;
        if let Err(error) = self.consumer.unassign() {
            tracing::debug!(%error, "a consumer did not leave its partition");
        }
    }
}

/// Why a read ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    /// The limit is reached; there may be more.
    Limit,
    /// The end is reached.
    End,
}

/// What was read so far.
struct Gathered<'a> {
    wanted: &'a Wanted,
    records: Vec<Arc<Record>>,
    bytes: usize,
    floor: Timestamp,
}

impl Gathered<'_> {
    fn next(&self) -> Offset {
        let last = self.records.last();
        last.map_or(self.wanted.from.offset, |last| last.position.offset.next())
    }

    fn fits(&self, record: &Record) -> bool {
        self.records.is_empty() || self.bytes + record.size().max(1) <= self.wanted.limit.bytes
    }

    fn add(&mut self, record: Arc<Record>) {
        self.bytes += record.size().max(1);
        self.floor = record.appended_at;
        self.records.push(record);
    }

    fn is_done(&self) -> Option<Done> {
        if self.next() >= self.wanted.end {
            return Some(Done::End);
        }
        let full = self.records.len() >= self.wanted.limit.records.max(1);
        full.then_some(Done::Limit)
    }
}

/// What waiting does not mend.
fn fatal(error: &KafkaError, at: &Position) -> Result<(), ReadError> {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::LogTruncation) => {
            Err(ReadError::Damaged {
                position: at.to_string(),
                reason: "the brokers do not have this offset any more: records were lost by an \
                     unclean election, or deleted"
                    .into(),
            })
        }
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
            Err(ReadError::Unavailable(format!("the topic of {at} is gone")))
        }
        Some(Code::TopicAuthorizationFailed) => Err(ReadError::Unavailable(format!(
            "the user may not read the topic of {at}"
        ))),
        _ => Ok(()),
    }
}
