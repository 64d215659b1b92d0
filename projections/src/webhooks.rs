//! Which webhooks came, and what was decided about each.

use crate::projection::{Earlier, Projection};
use crate::table::{Column, Kind, Row, Table, Value, column, optional};
use hooklog_schemas::Position;
use hooklog_schemas::deliveries::{RepeatKind, Routed};
use std::sync::Arc;

/// The projection.
pub const PROJECTION: Projection = Projection {
    name: "webhooks",
    version: 2,
    tables: &[&TABLE],
    reads: &["partitions"],
    earlier: &[Earlier {
        version: 1,
        tables: &[&TABLE_V1],
    }],
};

/// One row a record of `webhooks`. A receipt whose append was repeated has several.
pub const TABLE: Table = Table {
    name: "webhooks",
    key: 2,
    columns: &COLUMNS,
};

/// [`TABLE`] before it told when things happened, and when they were appended.
const TABLE_V1: Table = Table {
    name: "webhooks",
    key: 2,
    columns: COLUMNS.split_at(COLUMNS.len() - 2).0,
};

const COLUMNS: [Column; 28] = [
    column("receipt", Kind::Id),
    column("webhook_offset", Kind::Integer),
    column("partition", Kind::Integer),
    column("decision_offset", Kind::Integer),
    column("guid", Kind::Text),
    column("event", Kind::Text),
    optional("action", Kind::Text),
    column("source", Kind::Text),
    column("source_id", Kind::Id),
    column("host", Kind::Text),
    optional("hook_id", Kind::Text),
    optional("repository", Kind::Text),
    optional("repository_id", Kind::Integer),
    optional("organization_id", Kind::Integer),
    optional("sender_id", Kind::Integer),
    optional("git_ref", Kind::Text),
    column("received_at", Kind::Integer),
    column("routed_at", Kind::Integer),
    column("body_bytes", Kind::Integer),
    column("unparsed", Kind::Integer),
    column("matches", Kind::Integer),
    optional("repeats", Kind::Word),
    optional("repeats_receipt", Kind::Id),
    optional("error", Kind::Text),
    column("configuration_offset", Kind::Integer),
    column("matcher", Kind::Integer),
    optional("event_at", Kind::Integer),
    optional("appended_at", Kind::Integer),
];

/// Texts of a decision that several rows hold.
pub(crate) struct Shared {
    pub(crate) guid: Arc<str>,
    pub(crate) event: Arc<str>,
    pub(crate) action: Option<Arc<str>>,
    pub(crate) source: Arc<str>,
    pub(crate) host: Arc<str>,
    pub(crate) repository: Option<Arc<str>>,
}

impl Shared {
    pub(crate) fn of(routed: &Routed) -> Self {
        let summary = &routed.summary;
        Self {
            guid: name(&summary.guid),
            event: name(&summary.event),
            action: summary.action.as_deref().map(name),
            source: name(&routed.source_name),
            host: name(&summary.host),
            repository: summary.repository.as_deref().map(name),
        }
    }
}

fn name(text: &str) -> Arc<str> {
    text_of(Value::name(text))
}

pub(crate) fn clean(text: &str) -> Arc<str> {
    text_of(Value::text(text))
}

fn text_of(value: Value) -> Arc<str> {
    match value {
        Value::Text(text) => text,
        _ => Arc::default(),
    }
}

pub(crate) fn shared(text: Option<&Arc<str>>) -> Value {
    text.map_or(Value::Null, |text| Value::Text(Arc::clone(text)))
}

/// The row of an effective decision that stands at `position`.
pub(crate) fn row(position: Position, routed: &Routed, texts: &Shared) -> Row {
    let summary = &routed.summary;
    let repeats = routed.repeats.as_ref();
    vec![
        Value::Id(routed.receipt.0.into_bytes()),
        Value::count(routed.webhook.0),
        Value::Int(i64::from(position.partition.0)),
        Value::count(position.offset.0),
        Value::Text(Arc::clone(&texts.guid)),
        Value::Text(Arc::clone(&texts.event)),
        shared(texts.action.as_ref()),
        Value::Text(Arc::clone(&texts.source)),
        Value::Id(routed.source.0.into_bytes()),
        Value::Text(Arc::clone(&texts.host)),
        Value::text_or_null(summary.hook_id.as_deref()),
        shared(texts.repository.as_ref()),
        Value::int_or_null(summary.repository_id),
        Value::int_or_null(summary.organization_id),
        Value::int_or_null(summary.sender_id),
        Value::text_or_null(summary.git_ref.as_deref()),
        Value::Int(routed.received_at.0),
        Value::Int(routed.at.0),
        Value::count(summary.body_bytes),
        Value::truth(summary.unparsed),
        Value::count(routed.matches.len() as u64),
        Value::text_or_null(repeats.map(|repeats| word(repeats.kind))),
        repeats.map_or(Value::Null, |r| Value::Id(r.receipt.0.into_bytes())),
        Value::text_or_null(routed.error.as_deref()),
        Value::count(routed.configuration.offset.0),
        Value::Int(i64::from(routed.matcher)),
        Value::int_or_null(summary.event_at.map(|at| at.0)),
        Value::int_or_null(summary.appended_at.map(|at| at.0)),
    ]
}

const fn word(kind: RepeatKind) -> &'static str {
    match kind {
        RepeatKind::Redelivery => "redelivery",
        RepeatKind::OtherHook => "other_hook",
        RepeatKind::Conflict => "conflict",
        RepeatKind::ReplaySuspect => "replay_suspect",
    }
}
