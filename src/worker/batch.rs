//! What one turn of the loop records: appended at once, then folded in log order.

use crate::clock;
use hooklog_schemas::{Append, Event, Offset, Partition, Timestamp};

/// A partition, and the term of the owner who says something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) partition: Partition,
    pub(super) epoch: Option<Offset>,
}

/// Events of the `deliveries` topic that are to be appended together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) events: Vec<(Term, Event)>,
}

impl Batch {
    pub(super) fn add(&mut self, term: Term, event: impl Into<Event>) {
        self.events.push((term, event.into()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The records to append.
    pub(super) fn appends(&self, at: Timestamp) -> Vec<Append> {
        let encode = |(term, event): &(Term, Event)| {
            let (event_type, version, value) = event.encode()?;
            Some(Append {
                partition: term.partition,
                event_id: clock::event_id(),
                key: clock::key(),
                event_type,
                version,
                epoch: term.epoch,
                at,
                headers: Vec::new(),
                value: Some(value),
            })
        };
        self.events.iter().filter_map(encode).collect()
    }
}
