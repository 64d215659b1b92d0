//! Up to where tables have read the log.

use hooklog_schemas::{EventId, Offset, Partition, Position, Topic};
use std::collections::BTreeMap;

/// A vector of offsets, one a partition, and the log that they are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub log: EventId,
    next: BTreeMap<(Topic, Partition), Offset>,
}

impl Checkpoint {
    /// The beginning of a log.
    #[must_use]
    pub const fn start(log: EventId) -> Self {
        Self {
            log,
            next: BTreeMap::new(),
        }
    }

    /// The position of the next record to read of a partition.
    #[must_use]
    pub fn next(&self, topic: Topic, partition: Partition) -> Position {
        let offset = self.next.get(&(topic, partition)).copied();
        Position::new(topic, partition, offset.unwrap_or_default())
    }

    /// Whether the record at `position` is read.
    #[must_use]
    pub fn holds(&self, position: Position) -> bool {
        position.offset < self.next(position.topic, position.partition).offset
    }

    /// Notes that everything of this partition before `next` is read.
    pub fn read_up_to(&mut self, next: Position) {
        let offset = self.next.entry((next.topic, next.partition)).or_default();
        *offset = next.offset.max(*offset);
    }

    /// The next position of every partition that was read from.
    pub fn positions(&self) -> impl Iterator<Item = Position> {
        let place = |(&(topic, partition), &offset): (&(Topic, Partition), &Offset)| {
            Position::new(topic, partition, offset)
        };
        self.next.iter().map(place)
    }
}
