//! The part of the tables that lies inside a point of the past.
//!
//! Tables only grow, but for those of what stands now. What grew since is left out by its place in
//! the log. A delivery that changed since is brought back to its last transition inside.

use super::{Condition, QueryError};
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::table::Value;
use hooklog_schemas::{Point, Topic};
use std::sync::Arc;

/// A point, as the conditions of questions.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) point: Arc<Point>,
    ends: Arc<[i64]>,
}

impl Cut {
    pub(super) fn at(point: Arc<Point>) -> Self {
        let end = |offset: &hooklog_schemas::Offset| i64::try_from(offset.0).unwrap_or(i64::MAX);
        let ends = point.deliveries.iter().map(end).collect();
        Self { point, ends }
    }

    /// What this column names in `deliveries` lies inside.
    pub(super) fn inside(&self, offset: &'static str) -> Condition {
        Condition::Inside(offset, Arc::clone(&self.ends))
    }

    /// What this column names in `deliveries` lies outside.
    pub(super) fn outside(&self, offset: &'static str) -> Condition {
        Condition::Outside(offset, Arc::clone(&self.ends))
    }

    /// This column of a history lies inside `control`.
    pub(super) fn inside_control(&self, offset: &'static str) -> Condition {
        Condition::Below(offset, Value::count(self.point.control.0))
    }

    /// The ends of the partitions of `deliveries`, in their order.
    pub(super) fn ends(&self) -> Arc<[i64]> {
        Arc::clone(&self.ends)
    }

    pub(super) fn holds(&self, partition: i64, offset: i64) -> bool {
        let place = usize::try_from(partition).unwrap_or(usize::MAX);
        self.ends.get(place).is_some_and(|end| offset < *end)
    }

    /// Tables answer for a point once all of it is in them.
    pub(super) fn reached(&self, checkpoint: &Checkpoint) -> Result<(), QueryError> {
        if checkpoint.log != self.point.log {
            let (theirs, ours) = (self.point.log, checkpoint.log);
            return Err(QueryError::OtherLog { theirs, ours });
        }
        let folded = self.point.ends().filter(|end| end.topic != Topic::Webhooks);
        for end in folded {
            let next = checkpoint.next(end.topic, end.partition);
            if next.offset < end.offset {
                return Err(QueryError::Behind { next, end });
            }
        }
        Ok(())
    }
}
