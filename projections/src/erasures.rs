//! What was ordered to be erased, by whom and why.
//!
//! A webhook's row belongs to its partition, and the order to `control`: the two meet in queries,
//! which blank names and senders of the receipts that stand here. So it does not matter which of
//! the two was folded first, nor whether the bytes are gone already.

use crate::projection::Projection;
use crate::table::{Kind, Row, Table, Value, column, optional};
use hooklog_schemas::Offset;
use hooklog_schemas::control::ErasureRequested;

/// The projection.
pub const PROJECTION: Projection = Projection {
    name: "erasures",
    version: 1,
    tables: &[&TABLE],
    reads: &[],
    earlier: &[],
};

/// One row a receipt and order.
pub const TABLE: Table = Table {
    name: "erasures",
    key: 2,
    columns: &[
        column("receipt", Kind::Id),
        column("control_offset", Kind::Integer),
        column("partition", Kind::Integer),
        column("webhook_offset", Kind::Integer),
        optional("repository_id", Kind::Integer),
        optional("sender_id", Kind::Integer),
        column("at", Kind::Integer),
        column("actor", Kind::Text),
        optional("why", Kind::Text),
    ],
};

/// The rows of the order that stands at `offset` of `control`.
pub(crate) fn rows(offset: Offset, order: &ErasureRequested) -> impl Iterator<Item = Row> {
    order.receipts.iter().map(move |erased| {
        vec![
            Value::Id(erased.receipt.0.into_bytes()),
            Value::count(offset.0),
            Value::Int(i64::from(erased.partition)),
            Value::count(erased.offset.0),
            Value::int_or_null(order.repository_id),
            Value::int_or_null(order.sender_id),
            Value::Int(order.by.at.0),
            Value::text(&order.by.actor),
            Value::text_or_null(order.by.why.as_deref()),
        ]
    })
}
