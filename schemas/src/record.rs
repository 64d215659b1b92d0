//! Events with their places in the log.

use crate::{EventId, EventType, Key, Offset, Partition, Position, Timestamp, Topic};
use bytes::Bytes;

/// A named value beside the body. Names are lower case; values are kept as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Lower-case name.
    pub name: String,
    /// The value, which need not be UTF-8.
    pub value: Bytes,
}

impl Header {
    /// Puts a header together.
    pub fn new(name: impl Into<String>, value: impl Into<Bytes>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

/// What is asked of the log: an event, before it has its offset.
#[derive(Clone, Debug)]
pub struct Append {
    /// The partition to append to.
    pub partition: Partition,
    /// Stable over retries of this append.
    pub event_id: EventId,
    /// Drawn anew for every try; a tombstone repeats the key that it erases.
    pub key: Key,
    /// What kind of event it is.
    pub event_type: EventType,
    /// The version of that kind's schema.
    pub version: u16,
    /// The offset of the owner's `partition.acquired`; none for writers that own nothing.
    pub epoch: Option<Offset>,
    /// When the writer appended; the log makes it monotone per partition.
    pub at: Timestamp,
    /// Named values beside the body.
    pub headers: Vec<Header>,
    /// The body; `None` is a tombstone.
    pub value: Option<Bytes>,
}

/// An event with its place in the log.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it stands.
    pub position: Position,
    /// The event's id.
    pub event_id: EventId,
    /// The record's key.
    pub key: Key,
    /// What kind of event it is.
    pub event_type: EventType,
    /// The version of that kind's schema.
    pub version: u16,
    /// The epoch of the owner that wrote it.
    pub epoch: Option<Offset>,
    /// When it was appended: never earlier than the record before it.
    pub appended_at: Timestamp,
    /// Named values beside the body.
    pub headers: Vec<Header>,
    /// The body; `None` for a tombstone, and for a record whose bytes were erased.
    pub value: Option<Bytes>,
}

impl Record {
    /// The record that `append` became.
    #[must_use]
    pub fn placed(append: Append, topic: Topic, offset: Offset, appended_at: Timestamp) -> Self {
        Self {
            position: Position::new(topic, append.partition, offset),
            event_id: append.event_id,
            key: append.key,
            event_type: append.event_type,
            version: append.version,
            epoch: append.epoch,
            appended_at,
            headers: append.headers,
            value: append.value,
        }
    }

    /// The value of the header `name` (lower case), if it is there.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&Bytes> {
        self.headers
            .iter()
            .find(|header| header.name == name)
            .map(|header| &header.value)
    }

    /// Bytes of body and headers, as limits count them.
    #[must_use]
    pub fn size(&self) -> usize {
        let headers: usize = self
            .headers
            .iter()
            .map(|h| h.name.len() + h.value.len())
            .sum();
        headers + self.value.as_ref().map_or(0, Bytes::len)
    }
}
