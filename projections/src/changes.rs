//! Who changed a source, a subscription or a replay, when, from where, and why.

use crate::configuration::Folded;
use crate::table::{Column, Kind, Row, Value, column, optional};
use hooklog_schemas::control::{By, SecretOwner};
use hooklog_schemas::{Event, EventId, Offset};
use serde::Serialize;

/// The columns of a history: one row a change, those that had no effect too.
pub(crate) const COLUMNS: [Column; 10] = [
    column("object", Kind::Id),
    column("control_offset", Kind::Integer),
    column("event", Kind::Id),
    column("event_type", Kind::Text),
    column("at", Kind::Integer),
    column("actor", Kind::Text),
    column("from_address", Kind::Text),
    optional("why", Kind::Text),
    column("outcome", Kind::Word),
    optional("spec", Kind::Text),
];

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    Source([u8; 16]),
    Subscription([u8; 16]),
    Replay([u8; 16]),
}

/// A change of a source, a subscription or a replay.
pub(crate) struct Change<'a> {
    pub(crate) object: Object,
    by: &'a By,
    event_type: &'static str,
    spec: Option<String>,
}

impl<'a> Change<'a> {
    /// The change that `event` is; `None` if it is about something else.
    pub(crate) fn of(event: &'a Event) -> Option<Self> {
        let (object, by, event_type, spec) = match event {
            Event::SourceCreated(e) => (
                Object::Source(e.id.0.into_bytes()),
                &e.by,
                "source.created",
                json(&e.spec),
            ),
            Event::SourceChanged(e) => (
                Object::Source(e.id.0.into_bytes()),
                &e.by,
                "source.changed",
                json(&e.spec),
            ),
            Event::SourcePaused(e) => source(e.id, &e.by, "source.paused"),
            Event::SourceResumed(e) => source(e.id, &e.by, "source.resumed"),
            Event::SourceDeleted(e) => source(e.id, &e.by, "source.deleted"),
            Event::SubscriptionCreated(e) => (
                Object::Subscription(e.id.0.into_bytes()),
                &e.by,
                "subscription.created",
                json(&e.spec),
            ),
            Event::SubscriptionChanged(e) => (
                Object::Subscription(e.id.0.into_bytes()),
                &e.by,
                "subscription.changed",
                json(&e.spec),
            ),
            Event::SubscriptionPaused(e) => subscription(e.id, &e.by, "subscription.paused"),
            Event::SubscriptionResumed(e) => subscription(e.id, &e.by, "subscription.resumed"),
            Event::SubscriptionDeleted(e) => subscription(e.id, &e.by, "subscription.deleted"),
            Event::SecretRotated(e) => match e.owner {
                SecretOwner::Source(id) => source(id, &e.by, "secret.rotated"),
                SecretOwner::Subscription(id) => subscription(id, &e.by, "secret.rotated"),
            },
            Event::ReplayRequested(e) => (
                Object::Replay(e.id.0.into_bytes()),
                &e.by,
                "replay.requested",
                json(&e.spec),
            ),
            Event::ReplayPaused(e) => replay(e.id, &e.by, "replay.paused"),
            Event::ReplayResumed(e) => replay(e.id, &e.by, "replay.resumed"),
            Event::ReplayCancelled(e) => replay(e.id, &e.by, "replay.cancelled"),
            _ => return None,
        };
        Some(Self {
            object,
            by,
            event_type,
            spec,
        })
    }

    /// The row of this change, which stands at `offset` of `control`.
    pub(crate) fn row(&self, offset: Offset, event: EventId, outcome: Folded) -> Row {
        let (Object::Source(object) | Object::Subscription(object) | Object::Replay(object)) =
            self.object;
        vec![
            Value::Id(object),
            Value::count(offset.0),
            Value::Id(event.0.into_bytes()),
            Value::text(self.event_type),
            Value::Int(self.by.at.0),
            Value::text(&self.by.actor),
            Value::text(&self.by.from),
            Value::text_or_null(self.by.why.as_deref()),
            Value::text(word(outcome)),
            Value::text_or_null(self.spec.as_deref()),
        ]
    }
}

type Parts<'a> = (Object, &'a By, &'static str, Option<String>);

fn source<'a>(id: hooklog_schemas::SourceId, by: &'a By, event_type: &'static str) -> Parts<'a> {
    (Object::Source(id.0.into_bytes()), by, event_type, None)
}

fn subscription<'a>(
    id: hooklog_schemas::SubscriptionId,
    by: &'a By,
    event_type: &'static str,
) -> Parts<'a> {
    let object = Object::Subscription(id.0.into_bytes());
    (object, by, event_type, None)
}

fn replay<'a>(id: hooklog_schemas::ReplayId, by: &'a By, event_type: &'static str) -> Parts<'a> {
    (Object::Replay(id.0.into_bytes()), by, event_type, None)
}

/// A description as JSON. Its fields stand in the order of the struct, so equal ones read alike.
pub(crate) fn json<T: Serialize>(spec: &T) -> Option<String> {
    serde_json::to_string(spec).ok()
}

const fn word(outcome: Folded) -> &'static str {
    match outcome {
        Folded::Applied => "applied",
        Folded::Conflict => "conflict",
        Folded::Ignored => "ignored",
        Folded::Evidence => "evidence",
    }
}
