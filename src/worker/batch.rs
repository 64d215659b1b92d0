//! What one turn of the loop records: appended at once, then folded in log order.

use crate::clock;
use hooklog_schemas::{Append, Event, Offset, Partition, Timestamp};

/// Events of the `deliveries` topic that are to be appended together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) events: Vec<(Partition, Event)>,
}

impl Batch {
    pub(super) fn add(&mut self, partition: Partition, event: impl Into<Event>) {
        self.events.push((partition, event.into()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The records to append; `epoch` tells the owner's term of a partition.
    pub(super) fn appends(
        &self,
        at: Timestamp,
        epoch: impl Fn(Partition) -> Option<Offset>,
    ) -> Vec<Append> {
        let encode = |(partition, event): &(Partition, Event)| {
            let (event_type, version, value) = event.encode()?;
            Some(Append {
                partition: *partition,
                event_id: clock::event_id(),
                key: clock::key(),
                event_type,
                version,
                epoch: epoch(*partition),
                at,
                headers: Vec::new(),
                value: Some(value),
            })
        };
        self.events.iter().filter_map(encode).collect()
    }
}
