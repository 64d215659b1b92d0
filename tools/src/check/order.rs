//! What one receiver answered before the next was sent stands before it in the log, whatever lay
//! between: a queue, a spool, a restart.

use super::Violation;
use super::log::Log;
use crate::load::history::{Operation, Outcome};
use std::collections::{BTreeMap, HashMap};

/// Per history and partition: no request was overtaken by one that was sent after its answer.
pub(crate) fn check(operations: &[Operation], log: &Log) -> Vec<Violation> {
    let mut places: HashMap<&str, (u32, u64)> = HashMap::new();
    for webhook in &log.webhooks {
        let place = (webhook.partition, webhook.offset);
        // A receipt that is stored twice counts where it stands first.
        let first = places.entry(&webhook.guid).or_insert(place);
        *first = place.min(*first);
    }
    let mut sent: HashMap<&str, usize> = HashMap::new();
    for operation in operations {
        *sent.entry(&operation.guid).or_default() += 1;
    }
    let mut streams: BTreeMap<(usize, u32), Vec<(u64, &Operation)>> = BTreeMap::new();
    // Of what was sent again nobody knows which record is which.
    let known = operations
        .iter()
        .filter(|one| one.outcome == Outcome::Ok && sent.get(one.guid.as_str()) == Some(&1));
    for operation in known {
        if let Some((partition, offset)) = places.get(operation.guid.as_str()) {
            let stream = streams.entry((operation.history, *partition));
            stream.or_default().push((*offset, operation));
        }
    }
    streams.into_values().filter_map(overtaken).collect()
}

/// The first in the order of the log that stands behind one that was sent after its answer.
fn overtaken(mut stream: Vec<(u64, &Operation)>) -> Option<Violation> {
    stream.sort_unstable_by_key(|(offset, _)| *offset);
    let mut latest: Option<&Operation> = None;
    for (offset, one) in stream {
        if let Some(before) = latest.filter(|before| before.invoke > one.complete) {
            let found = format!(
                "{} was answered before {} was sent, and stands behind it, at offset {offset}",
                one.guid, before.guid
            );
            return Some(Violation::new("in the order of receipt", found));
        }
        if latest.is_none_or(|latest| one.invoke > latest.invoke) {
            latest = Some(one);
        }
    }
    None
}
