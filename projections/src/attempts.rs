//! What was tried, where, for how long, and what came of it.

use crate::projection::Projection;
use crate::table::{Kind, Row, Table, Value, column, optional};
use hooklog_schemas::deliveries::{Answered, Attempted, Outcome, Verdict};
use hooklog_schemas::{Key, Offset, Position};

/// The projection.
pub const PROJECTION: Projection = Projection {
    name: "attempts",
    version: 2,
    tables: &[&TABLE, &ANSWERS],
    reads: &[],
    earlier: &[],
};

/// One row an attempt, late ones too: they are evidence.
pub const TABLE: Table = Table {
    name: "attempts",
    key: 2,
    columns: &[
        column("partition", Kind::Integer),
        column("record_offset", Kind::Integer),
        column("delivery", Kind::Id),
        column("number", Kind::Integer),
        column("started_at", Kind::Integer),
        column("duration_us", Kind::Integer),
        optional("resolve_us", Kind::Integer),
        optional("connect_us", Kind::Integer),
        optional("headers_us", Kind::Integer),
        optional("headers_sha256", Kind::Text),
        optional("status", Kind::Integer),
        optional("error", Kind::Word),
        optional("detail", Kind::Text),
        column("target", Kind::Text),
        optional("address", Kind::Text),
        column("verdict", Kind::Word),
        optional("epoch", Kind::Integer),
        column("configuration_offset", Kind::Integer),
    ],
};

/// Where the excerpt of an answer stands in the log, by the key of its record.
///
/// The tombstone that erases an excerpt has the same key, and removes the row: so the table is the
/// same whether it was folded before the log was compacted or after.
pub const ANSWERS: Table = Table {
    name: "answers",
    key: 1,
    columns: &[
        column("record_key", Kind::Id),
        column("partition", Kind::Integer),
        column("record_offset", Kind::Integer),
        column("delivery", Kind::Id),
        column("number", Kind::Integer),
        column("started_at", Kind::Integer),
    ],
};

/// The row of the attempt that stands at `position`.
pub(crate) fn row(position: Position, epoch: Option<Offset>, attempted: &Attempted) -> Row {
    let (status, error, detail) = match &attempted.outcome {
        Outcome::Status(status) => (Value::Int(i64::from(*status)), Value::Null, Value::Null),
        Outcome::Error { class, detail } => (
            Value::Null,
            Value::text(class.as_str()),
            Value::text(detail),
        ),
    };
    vec![
        Value::Int(i64::from(position.partition.0)),
        Value::count(position.offset.0),
        Value::Id(attempted.delivery.0.into_bytes()),
        Value::Int(i64::from(attempted.number)),
        Value::Int(attempted.started_at.0),
        Value::count(attempted.duration_us),
        attempted.resolve_us.map_or(Value::Null, Value::count),
        attempted.connect_us.map_or(Value::Null, Value::count),
        attempted.headers_us.map_or(Value::Null, Value::count),
        Value::text_or_null(attempted.headers_sha256.as_deref()),
        status,
        error,
        detail,
        Value::text(&attempted.target),
        Value::text_or_null(attempted.address.as_deref()),
        Value::text(word(&attempted.verdict)),
        epoch.map_or(Value::Null, |epoch| Value::count(epoch.0)),
        Value::count(attempted.configuration.offset.0),
    ]
}

/// The row of the excerpt that stands at `position`.
pub(crate) fn answer_row(position: Position, key: Key, answered: &Answered) -> Row {
    vec![
        Value::Id(key.0.into_bytes()),
        Value::Int(i64::from(position.partition.0)),
        Value::count(position.offset.0),
        Value::Id(answered.delivery.0.into_bytes()),
        Value::Int(i64::from(answered.number)),
        Value::Int(answered.started_at.0),
    ]
}

const fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Retry { .. } => "retry",
        Verdict::DeadLettered { .. } => "dead_lettered",
        Verdict::Paused => "paused",
    }
}
