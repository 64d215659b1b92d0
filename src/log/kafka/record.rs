//! Records as Kafka's messages, and back.
//!
//! The key is the record's key, 16 bytes; the value is the event's body, byte for byte; what the
//! log itself has to remember stands in headers of its own, readable text, before the record's:
//!
//! | header | holds |
//! |---|---|
//! | `hooklog_id` | the event's id |
//! | `hooklog_type` | its type, such as `delivery.attempted` |
//! | `hooklog_version` | the version of that type's schema |
//! | `hooklog_epoch` | the owner's epoch; left out where there is none |
//! | `hooklog_at` | the writer's time in microseconds: Kafka's own timestamp has milliseconds |
//!
//! The CloudEvents attributes of a webhook are headers of the record, as in every log.

use crate::log::ReadError;
use bytes::Bytes;
use hooklog_schemas::{
    Append, EventId, EventType, Header, Key, Offset, Partition, Position, Record, Timestamp, Topic,
};
use rdkafka::message::{
    BorrowedMessage, Header as KafkaHeader, Headers as _, Message as _, OwnedHeaders,
};
use std::str::FromStr;
use uuid::Uuid;

const ID: &str = "hooklog_id";
const TYPE: &str = "hooklog_type";
const VERSION: &str = "hooklog_version";
const EPOCH: &str = "hooklog_epoch";
const AT: &str = "hooklog_at";

/// Bytes of the headers above and of Kafka's own framing, at the most: what a record needs beside
/// its own headers and value.
pub(super) const OVERHEAD: usize = 1024;

/// The headers of `append`, ours first.
pub(super) fn headers(append: &Append) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new_with_capacity(append.headers.len() + 5);
    let mut text = |key, value: &str| {
        let empty = OwnedHeaders::new_with_capacity(0);
        let before = std::mem::replace(&mut headers, empty);
        headers = before.insert(KafkaHeader {
            key,
            value: Some(value),
        });
    };
    text(ID, &append.event_id.0.to_string());
    text(TYPE, append.event_type.as_str());
    text(VERSION, &append.version.to_string());
    if let Some(epoch) = append.epoch {
        text(EPOCH, &epoch.to_string());
    }
    text(AT, &append.at.0.to_string());
    let add = |headers: OwnedHeaders, header: &Header| {
        headers.insert(KafkaHeader {
            key: &header.name,
            value: Some(&header.value[..]),
        })
    };
    append.headers.iter().fold(headers, add)
}

/// Kafka's timestamp of `append`: milliseconds, never negative.
pub(super) fn millis(append: &Append) -> i64 {
    append.at.0.div_euclid(1_000).max(0)
}

/// Reads a message; `floor` is the append time of what stands before it.
pub(super) fn read(
    message: &BorrowedMessage<'_>,
    topic: Topic,
    floor: Timestamp,
) -> Result<Record, ReadError> {
    let partition = Partition(u32::try_from(message.partition()).unwrap_or(u32::MAX));
    let offset = Offset(u64::try_from(message.offset()).unwrap_or(u64::MAX));
    let position = Position::new(topic, partition, offset);
    let foreign = |reason: String| ReadError::Damaged {
        position: position.to_string(),
        reason: format!("{reason}: another program wrote to {}", message.topic()),
    };
    let key = message.key().and_then(|key| Uuid::from_slice(key).ok());
    let key = key.ok_or_else(|| foreign("its key has not 16 bytes".into()))?;
    let mut fields = Fields::default();
    let headers = message.headers().into_iter().flat_map(|all| all.iter());
    for header in headers {
        fields.take(header.key, header.value.unwrap_or_default());
    }
    let missing = |name| move || foreign(format!("its header {name} is missing or malformed"));
    Ok(Record {
        position,
        event_id: EventId(fields.id.ok_or_else(missing(ID))?),
        key: Key(key),
        event_type: fields.event_type.ok_or_else(missing(TYPE))?,
        version: fields.version.ok_or_else(missing(VERSION))?,
        epoch: fields.epoch.map(Offset),
        appended_at: fields.at.map(Timestamp).ok_or_else(missing(AT))?.max(floor),
        headers: fields.headers,
        value: message.payload().map(Bytes::copy_from_slice),
    })
}

#[derive(Default)]
struct Fields {
    id: Option<Uuid>,
    event_type: Option<EventType>,
    version: Option<u16>,
    epoch: Option<u64>,
    at: Option<i64>,
    headers: Vec<Header>,
}

impl Fields {
    fn take(&mut self, name: &str, value: &[u8]) {
        match name {
            ID if self.id.is_none() => self.id = parse(value),
            TYPE if self.event_type.is_none() => {
                self.event_type = std::str::from_utf8(value).ok().map(EventType::read);
            }
            VERSION if self.version.is_none() => self.version = parse(value),
            EPOCH if self.epoch.is_none() => self.epoch = parse(value),
            AT if self.at.is_none() => self.at = parse(value),
            _ => self
                .headers
                .push(Header::new(name, Bytes::copy_from_slice(value))),
        }
    }
}

fn parse<T: FromStr>(value: &[u8]) -> Option<T> {
    std::str::from_utf8(value).ok()?.parse().ok()
}
