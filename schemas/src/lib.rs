//! What is said: every event that hooklog writes to its log, with its version and its place.
//!
//! This crate holds values and their encoding, and does no I/O. An event is an immutable fact in
//! the past tense; a [`Record`] is an event with its place in the log.

mod ids;
pub use ids::{
    DeliveryId, EventId, Key, ReceiptId, ReplayId, SecretId, SourceId, SubscriptionId, TokenId,
};

mod position;
pub use position::{Offset, Partition, Position, PositionError, Topic, partition_of};

mod point;
pub use point::Point;

mod timestamp;
pub use timestamp::{Timestamp, TimestampError};

mod record;
pub use record::{Append, Header, Record};

pub mod control;
pub mod deliveries;
pub mod webhook;

mod format;
pub use format::{FORMAT, FORMAT_FIRST};

mod event;
#[cfg(feature = "json-schema")]
pub use event::json_schemas;
pub use event::{DELIVERIES, DecodeError, Event, EventType, example, known_types};

mod sealed;
pub use sealed::Sealed;

mod upcast;

#[cfg(test)]
mod fixtures;
