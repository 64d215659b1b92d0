//! Events as statements get them: a JSON array, an object an event.

use super::erasures::Erasures;
use super::events::RECEIVED;
use super::store::{OwnError, Place};
use hooklog_schemas::webhook::{Received, form_payload};
use hooklog_schemas::{Event, Position, Record, example, known_types};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A batch for the statements of a projection.
pub(super) struct Batch {
    /// The events.
    events: Vec<Value>,
    /// Where the first of them stands.
    pub(super) first: Option<Position>,
    /// Where the tables are behind it.
    pub(super) to: Place,
    /// Some records were left for the next one.
    pub(super) left: bool,
}

/// Records looked at between two chances for others to run.
const RECORDS_PER_TURN: usize = 128;

impl Batch {
    /// The wanted ones of `records`, `events_max` at the most.
    pub(super) async fn of(
        records: &[Arc<Record>],
        wanted: &BTreeSet<String>,
        erasures: &Erasures,
        (from, events_max): (&Place, usize),
    ) -> Result<Self, OwnError> {
        let mut batch = Self {
            events: Vec::new(),
            first: None,
            to: from.clone(),
            left: false,
        };
        for (number, record) in (1..).zip(records) {
            if batch.events.len() >= events_max {
                batch.left = true;
                break;
            }
            batch.take(record, wanted, erasures)?;
            if number % RECORDS_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(batch)
    }

    /// How many events there are.
    pub(super) fn count(&self) -> usize {
        self.events.len()
    }

    /// The text for the statements; nothing if there are no events.
    pub(super) fn text(&self) -> Option<String> {
        let there = !self.events.is_empty();
        there.then(|| serde_json::to_string(&self.events).unwrap_or_default())
    }

    fn take(
        &mut self,
        record: &Record,
        wanted: &BTreeSet<String>,
        erasures: &Erasures,
    ) -> Result<(), OwnError> {
        let position = record.position;
        let next = Position {
            offset: position.offset.next(),
            ..position
        };
        self.to.checkpoint.read_up_to(next);
        if record.event_type.as_str() == "partition.acquired" {
            self.to.epochs.insert(position.partition, position.offset);
        }
        if !wanted.contains(record.event_type.as_str()) || self.is_void(record) {
            return Ok(());
        }
        let Some((version, data)) = body(record)? else {
            return Ok(());
        };
        if let Some(data) = erasures.blank(record, data) {
            self.events.push(event(record, version, data));
            self.first.get_or_insert(position);
        }
        Ok(())
    }

    /// What somebody decided who was not the owner of the partition any more counts for nothing.
    fn is_void(&self, record: &Record) -> bool {
        let decides = [
            "webhook.routed",
            "delivery.requeued",
            "delivery.cancelled",
            "command.applied",
        ];
        let owner = self.to.epochs.get(&record.position.partition).copied();
        decides.contains(&record.event_type.as_str()) && record.epoch < owner
    }
}

/// The current version of a record's body, and the body; nothing of a tombstone, or where bytes are
/// gone.
fn body(record: &Record) -> Result<Option<(u16, Value)>, OwnError> {
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

fn event(record: &Record, version: u16, data: Value) -> Value {
    let Position {
        topic,
        partition,
        offset,
    } = record.position;
    json!({
        "topic": topic.as_str(),
        "partition": partition.0,
        "offset": offset.0,
        "id": record.event_id.to_string(),
        "type": record.event_type.as_str(),
        "version": version,
        "appended_at": record.appended_at.0,
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
        json!({
            "topic": super::events::topic(event).as_str(),
            "partition": 0,
            "offset": offset,
            "id": uuid::Uuid::nil().to_string(),
            "type": event,
            "version": version,
            "appended_at": 1_764_547_200_000_000_i64,
            "data": fit(data),
        })
    });
    Value::from_iter(events).to_string()
}

#[cfg(test)]
mod tests;
