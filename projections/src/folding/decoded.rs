//! Records as the fold sees them: decoded once for all projections.

use hooklog_schemas::{DecodeError, Event, EventId, Key, Offset, Position, Record};

/// One record, decoded.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// Where it stands.
    pub position: Position,
    /// Its event's id.
    pub event_id: EventId,
    /// Its key.
    pub key: Key,
    /// The epoch of the owner that wrote it.
    pub epoch: Option<Offset>,
    /// What it says.
    pub event: Event,
}

impl Decoded {
    /// Decodes `record`.
    ///
    /// # Errors
    /// An event that this release does not know, or cannot read: the reader must stop.
    pub fn of(record: &Record) -> Result<Self, DecodeError> {
        Ok(Self {
            position: record.position,
            event_id: record.event_id,
            key: record.key,
            epoch: record.epoch,
            event: Event::decode(record)?,
        })
    }
}
