//! What was done to tokens, from the log itself: it is so little and so rarely asked for that no table
//! keeps it.

use crate::api::Api;
use crate::api::problem::Problem;
use crate::log::ReadLimit;
use crate::query::ChangeRow;
use hooklog_schemas::control::By;
use hooklog_schemas::{Event, Offset, Partition, Position, Record, Topic};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;

/// Every creation and revocation of tokens with this name before `end`, in the order of the log.
pub(super) async fn of(api: &Api, name: &str, end: Offset) -> Result<Vec<ChangeRow>, Problem> {
    let mut next = Offset(0);
    let mut ids = HashSet::new();
    let mut rows = Vec::new();
    while next < end {
        let from = Position::new(Topic::Control, Partition(0), next);
        let records = api.parts.log.read(from, ReadLimit::default()).await?;
        let Some(last) = records.last() else { break };
        next = last.position.offset.next();
        let before = |record: &&Arc<Record>| record.position.offset < end;
        for record in records.iter().take_while(before) {
            match Event::decode(record).map_err(Problem::internal)? {
                Event::TokenCreated(created) if created.name == name => {
                    ids.insert(created.id);
                    let spec = json!({ "role": created.role, "holder": created.holder });
                    rows.push(row(record, created.by, Some(spec)));
                }
                Event::TokenRevoked(revoked) if ids.contains(&revoked.id) => {
                    rows.push(row(record, revoked.by, None));
                }
                _ => {}
            }
        }
    }
    Ok(rows)
}

fn row(record: &Record, by: By, spec: Option<Value>) -> ChangeRow {
    ChangeRow {
        at: by.at.0,
        actor: by.actor,
        from: by.from,
        why: by.why,
        event_type: record.event_type.as_str().to_owned(),
        event: record.event_id,
        offset: i64::try_from(record.position.offset.0).unwrap_or(i64::MAX),
        outcome: "applied".to_owned(),
        spec,
    }
}
