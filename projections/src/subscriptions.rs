//! Which subscriptions there are, and who changed which of them when and why.

use crate::changes::{COLUMNS, json};
use crate::configuration::Subscription;
use crate::projection::Projection;
use crate::table::{Kind, Row, Table, Value, column};

/// The projection.
pub const PROJECTION: Projection = Projection {
    name: "subscriptions",
    version: 1,
    tables: &[&TABLE, &HISTORY],
    reads: &[],
    earlier: &[],
};

/// One row a subscription, deleted ones too.
pub const TABLE: Table = Table {
    name: "subscriptions",
    key: 1,
    columns: &[
        column("id", Kind::Id),
        column("name", Kind::Text),
        column("team", Kind::Text),
        column("destination", Kind::Text),
        column("version", Kind::Id),
        column("paused", Kind::Integer),
        column("deleted", Kind::Integer),
        column("created_at", Kind::Integer),
        column("spec", Kind::Text),
    ],
};

/// One row a change.
pub const HISTORY: Table = Table {
    name: "subscription_changes",
    key: 2,
    columns: &COLUMNS,
};

/// The row of a subscription as it stands.
pub(crate) fn row(subscription: &Subscription) -> Row {
    let spec = &subscription.spec;
    vec![
        Value::Id(subscription.id.0.into_bytes()),
        Value::text(&spec.name),
        Value::text(&spec.team),
        Value::text(&spec.to),
        Value::Id(subscription.version.0.into_bytes()),
        Value::truth(subscription.paused),
        Value::truth(subscription.deleted),
        Value::Int(subscription.created_at.0),
        Value::text(&json(spec).unwrap_or_default()),
    ]
}
