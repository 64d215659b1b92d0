//! One set of tables, as a state holds it.

use super::super::numbers::Numbers;
use super::super::unreadable;
use crate::project::store::{StoreError, Stored};
use crate::project::stores::names::{self, Member};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_schemas::{EventId, Offset, Partition, Position};
use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};

/// One set of tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tables {
    /// What the set is; nothing for the live one.
    pub(super) kind: String,
    pub(super) since: DateTime,
    /// The last write that counts.
    pub(super) write: i64,
    /// Writes that were begun, and did not come to their end as far as is known. None is ever taken
    /// out but by its end: a command of it may come at any time.
    pub(super) unsettled: Numbers,
    log: String,
    next: Vec<Next>,
    /// Where the tables of each projection are.
    pub(super) members: Vec<Member>,
}

/// The next offset of one partition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Next {
    topic: String,
    partition: i64,
    offset: i64,
}

impl Tables {
    /// Empty tables, to which the writes up to `write` brought nothing.
    pub(super) fn of(
        members: impl IntoIterator<Item = Member>,
        write: i64,
        since: DateTime,
    ) -> Self {
        Self {
            kind: String::new(),
            since,
            write,
            unsettled: Numbers::default(),
            log: String::new(),
            next: Vec::new(),
            members: members.into_iter().collect(),
        }
    }

    pub(super) fn has(&self, projection: &str) -> bool {
        let mut members = self.members.iter();
        members.any(|member| member.projection == projection)
    }

    pub(super) fn stored(&self) -> Result<Stored, StoreError> {
        Ok(Stored {
            checkpoint: self.checkpoint()?,
            versions: names::versions(&self.members),
        })
    }

    pub(super) fn read_up_to(&mut self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let next = |position: Position| {
            Ok(Next {
                topic: position.topic.to_string(),
                partition: i64::from(position.partition.0),
                offset: i64::try_from(position.offset.0)
                    .map_err(|_| unreadable("an offset over what a log can have"))?,
            })
        };
        let next: Result<Vec<_>, StoreError> = checkpoint.positions().map(next).collect();
        self.next = next?;
        self.log = checkpoint.log.0.to_string();
        Ok(())
    }

    pub(super) fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        let log = self.log.parse();
        let log = log.map_err(|_| unreadable("a log's id that is none"))?;
        let mut checkpoint = Checkpoint::start(EventId(log));
        for next in &self.next {
            let topic = next.topic.parse();
            let topic = topic.map_err(|_| unreadable("an unknown topic"))?;
            let below = |_| unreadable("an offset below zero");
            let partition = u32::try_from(next.partition).map_err(below)?;
            let offset = u64::try_from(next.offset).map_err(below)?;
            checkpoint.read_up_to(Position::new(topic, Partition(partition), Offset(offset)));
        }
        Ok(checkpoint)
    }
}
