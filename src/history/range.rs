//! Records of a part of one partition.

use crate::log::{EventLog, ReadError, ReadLimit};
use hooklog_schemas::{Offset, Position, Record};
use std::sync::Arc;

/// The records from `from` on and before `end`.
pub(super) async fn read(
    log: &dyn EventLog,
    from: Position,
    end: Offset,
) -> Result<Vec<Arc<Record>>, ReadError> {
    let mut found: Vec<Arc<Record>> = Vec::new();
    let mut next = from;
    while next.offset < end {
        let left = usize::try_from(end.0 - next.offset.0).unwrap_or(usize::MAX);
        let limit = ReadLimit {
            records: left.min(ReadLimit::default().records),
            ..ReadLimit::default()
        };
        let records = log.read(next, limit).await?;
        let Some(last) = records.last() else { break };
        next.offset = last.position.offset.next();
        let inside = |record: &Arc<Record>| record.position.offset < end;
        found.extend(records.into_iter().filter(inside));
    }
    Ok(found)
}
