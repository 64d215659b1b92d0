//! Who looked at which payload.

use crate::projection::Projection;
use crate::table::{Kind, Row, Table, Value, column};
use hooklog_schemas::Position;
use hooklog_schemas::deliveries::BodyRead;

/// The projection.
pub const PROJECTION: Projection = Projection {
    name: "reads",
    version: 1,
    tables: &[&TABLE],
    reads: &[],
    earlier: &[],
};

/// One row a look at a body.
pub const TABLE: Table = Table {
    name: "body_reads",
    key: 2,
    columns: &[
        column("partition", Kind::Integer),
        column("record_offset", Kind::Integer),
        column("receipt", Kind::Id),
        column("actor", Kind::Text),
        column("from_address", Kind::Text),
        column("at", Kind::Integer),
    ],
};

/// The row of the look that was recorded at `position`.
pub(crate) fn row(position: Position, read: &BodyRead) -> Row {
    vec![
        Value::Int(i64::from(position.partition.0)),
        Value::count(position.offset.0),
        Value::Id(read.receipt.0.into_bytes()),
        Value::text(&read.actor),
        Value::text(&read.from),
        Value::Int(read.at.0),
    ]
}
