//! An event as statements get it: a JSON object.

use super::events::{RECEIVED, topic};
use super::store::OwnError;
use hooklog_schemas::webhook::{Received, form_payload};
use hooklog_schemas::{
    Event, EventId, Offset, Partition, Position, Record, Timestamp, example, known_types,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The current version of a record's body, and the body; nothing of a tombstone, or where bytes are
/// gone.
pub(super) fn body(record: &Record) -> Result<Option<(u16, Value)>, OwnError> {
    let Some(value) = &record.value else {
        return Ok(None);
    };
    if record.event_type.as_str() == RECEIVED {
        let received = Received::decode(record)?;
        let mut data = serde_json::to_value(&received).unwrap_or_default();
        data["body"] = match received.facts.form {
            true => form_payload(value).map_or(Value::Null, |payload| parsed(&payload)),
            false => parsed(value),
        };
        return Ok(Some((record.version, data)));
    }
    let encoded = Event::decode(record)?.encode();
    Ok(encoded.map(|(_, version, body)| (version, parsed(&body))))
}

/// What is not JSON is null.
fn parsed(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_default()
}

/// The object of an event.
pub(super) fn event(record: &Record, version: u16, data: Value) -> Value {
    let (id, event) = (record.event_id, record.event_type.as_str());
    object(
        record.position,
        id,
        (event, version),
        record.appended_at,
        data,
    )
}

fn object(
    position: Position,
    id: EventId,
    (event, version): (&str, u16),
    appended_at: Timestamp,
    data: Value,
) -> Value {
    json!({
        "topic": position.topic.as_str(),
        "partition": position.partition.0,
        "offset": position.offset.0,
        "id": id.to_string(),
        "type": event,
        "version": version,
        "appended_at": appended_at.0,
        "data": fit(data),
    })
}

/// What no table of somebody's own is for: secrets, also sealed ones, and digests of tokens.
const WITHHELD: [&str; 2] = ["secret", "sha256"];

/// The body without what is withheld, and without what a store cannot hold.
fn fit(mut data: Value) -> Value {
    if let Some(fields) = data.as_object_mut() {
        fields.retain(|name, _| !WITHHELD.contains(&name.as_str()));
    }
    without_nul(data)
}

/// A store may not hold U+0000, so it becomes U+FFFD, as in every table.
fn without_nul(value: Value) -> Value {
    let shown = |text: String| text.replace('\0', "\u{fffd}");
    match value {
        Value::String(text) => shown(text).into(),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (shown(name), without_nul(value)))
            .collect(),
        other => other,
    }
}

/// A batch with an example of each of these types: what statements can be tried with.
#[must_use]
pub fn examples(wanted: &BTreeSet<String>) -> String {
    let wanted = known_types().filter(|(event, _)| wanted.contains(*event));
    let events = wanted.zip(0_u64..).map(|((event, version), offset)| {
        let mut data = parsed(example(event).unwrap_or_default().as_bytes());
        if event == RECEIVED {
            data["body"] = json!({"ref": "refs/heads/main"});
        }
        let position = Position::new(topic(event), Partition(0), Offset(offset));
        let appended_at = Timestamp::from_secs(1_764_547_200);
        let id = EventId(uuid::Uuid::nil());
        object(position, id, (event, version), appended_at, data)
    });
    Value::from_iter(events).to_string()
}
