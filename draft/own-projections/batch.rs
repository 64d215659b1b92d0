//! Events as a projection of somebody's own gets them: a JSON array, an object an event.

use hooklog_projections::folding::Decoded;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

#[derive(Serialize)]
struct Event<'a> {
    topic: &'static str,
    partition: u32,
    offset: u64,
    id: String,
    #[serde(rename = "type")]
    event_type: &'a str,
    version: u16,
    epoch: Option<u64>,
    data: Value,
}

/// What no table of somebody's own is for: secrets, also sealed ones, and digests of tokens.
const WITHHELD: [&str; 2] = ["secret", "sha256"];

/// The wanted ones of `records` as JSON; none if there are none.
pub(super) fn json(records: &[Decoded], wanted: &BTreeSet<String>) -> Option<String> {
    let events: Vec<_> = records
        .iter()
        .filter_map(|decoded| {
            let (event_type, version, body) = decoded.event.encode()?;
            let name = wanted.get(event_type.as_str())?;
            let mut data: Value = serde_json::from_slice(&body).ok()?;
            if let Some(fields) = data.as_object_mut() {
                fields.retain(|field, _| !WITHHELD.contains(&field.as_str()));
            }
            Some(Event {
                topic: decoded.position.topic.as_str(),
                partition: decoded.position.partition.0,
                offset: decoded.position.offset.0,
                id: decoded.event_id.to_string(),
                event_type: name,
                version,
                epoch: decoded.epoch.map(|epoch| epoch.0),
                data: without_nul(data),
            })
        })
        .collect();
    match events.is_empty() {
        true => None,
        false => serde_json::to_string(&events).ok(),
    }
}

/// PostgreSQL cannot hold U+0000, so it becomes U+FFFD, as in every table.
fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\0') => text.replace('\0', "\u{fffd}").into(),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name.replace('\0', "\u{fffd}"), without_nul(value)))
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hooklog_schemas::deliveries::{Acquired, BodyRead};
    use hooklog_schemas::{EventId, Key, Offset, Partition, Position, ReceiptId, Timestamp, Topic};
    use uuid::Uuid;

    fn decoded(event: impl Into<hooklog_schemas::Event>) -> Decoded {
        Decoded {
            position: Position::new(Topic::Deliveries, Partition(3), Offset(7)),
            event_id: EventId(Uuid::nil()),
            key: Key(Uuid::nil()),
            epoch: Some(Offset(2)),
            event: event.into(),
        }
    }

    #[test]
    fn only_what_is_wanted_is_handed_over_and_nothing_that_a_store_cannot_hold() {
        let at = Timestamp(5);
        let records = [
            decoded(Acquired {
                process: EventId(Uuid::nil()),
                at,
            }),
            decoded(BodyRead {
                receipt: ReceiptId(Uuid::nil()),
                actor: "a\0b".to_owned(),
                from: "local".to_owned(),
                at,
            }),
        ];
        let wanted = BTreeSet::from(["body.read".to_owned()]);
        let text = json(&records, &wanted).unwrap();
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read.as_array().unwrap().len(), 1);
        assert_eq!(read[0]["data"]["actor"], "a\u{fffd}b");
        assert_eq!(read[0]["type"], "body.read");
        assert_eq!((&read[0]["partition"], &read[0]["epoch"]), (&3.into(), &2.into()));
        assert!(json(&records, &BTreeSet::new()).is_none());
    }
}
