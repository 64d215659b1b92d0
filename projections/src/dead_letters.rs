//! Which deliveries were given up, when and why. A redrive removes the row; transitions remember.

use crate::deliveries::COLUMNS;
use crate::projection::Projection;
use crate::table::{Kind, Row, Table, Value, column, joined};

/// The projection.
pub const PROJECTION: Projection = Projection {
    name: "dead_letters",
    version: 1,
    tables: &[&TABLE],
    reads: &["partitions", "deliveries"],
    earlier: &[],
};

/// One row a dead letter: what lists filter by of the delivery's row, and when it died.
pub const TABLE: Table = Table {
    name: "dead_letters",
    key: 1,
    columns: &joined::<{ COLUMNS.len() + 1 }>(&[&COLUMNS, &[column("died_at", Kind::Integer)]]),
};

/// The row of a delivery that died at `died_at`.
pub(crate) fn row(mut delivery: Row, died_at: i64) -> Row {
    delivery.truncate(COLUMNS.len());
    delivery.push(Value::Int(died_at));
    delivery
}
