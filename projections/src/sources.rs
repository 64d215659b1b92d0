//! Where webhooks may come from, and who changed which source when and why.

use crate::changes::{COLUMNS, json};
use crate::configuration::Source;
use crate::projection::Projection;
use crate::table::{Kind, Row, Table, Value, column};

/// The projection.
pub const PROJECTION: Projection = Projection {
    name: "sources",
    version: 1,
    tables: &[&TABLE, &HISTORY],
    reads: &[],
    earlier: &[],
};

/// One row a source, deleted ones too.
pub const TABLE: Table = Table {
    name: "sources",
    key: 1,
    columns: &[
        column("id", Kind::Id),
        column("name", Kind::Text),
        column("host", Kind::Text),
        column("version", Kind::Id),
        column("paused", Kind::Integer),
        column("deleted", Kind::Integer),
        column("created_at", Kind::Integer),
        column("spec", Kind::Text),
    ],
};

/// One row a change.
pub const HISTORY: Table = Table {
    name: "source_changes",
    key: 2,
    columns: &COLUMNS,
};

/// The row of a source as it stands.
pub(crate) fn row(source: &Source) -> Row {
    vec![
        Value::Id(source.id.0.into_bytes()),
        Value::text(&source.spec.name),
        Value::text(&source.spec.host),
        Value::Id(source.version.0.into_bytes()),
        Value::truth(source.paused),
        Value::truth(source.deleted),
        Value::Int(source.created_at.0),
        Value::text(&json(&source.spec).unwrap_or_default()),
    ]
}
