//! Statements that make tables of a point of the past fit for people and their tools: what was ordered
//! to be erased is blank in them, and each table can be asked by its plain name.

use super::names::Names;
use crate::project::store::StoreError;
use hooklog_projections::projection::PROJECTIONS;
use hooklog_projections::table::Table;
use hooklog_projections::{dead_letters, deliveries, erasures, webhooks};

/// The statements, in their order.
pub(super) fn statements(names: &Names) -> Result<Vec<String>, StoreError> {
    let mut statements = blanked(names)?;
    for table in PROJECTIONS.iter().flat_map(|projection| projection.tables) {
        let (plain, name) = (table.name, names.get(table)?);
        statements.push(format!("CREATE VIEW {plain} AS SELECT * FROM {name}"));
    }
    Ok(statements)
}

/// As queries blank rows: an order that names neither a repository nor a sender is about both.
fn blanked(names: &Names) -> Result<Vec<String>, StoreError> {
    let erasures = names.get(&erasures::TABLE)?;
    let blank = |table: &'static Table, column: &str, which: &str| {
        let name = names.get(table)?;
        Ok(format!(
            "UPDATE {name} SET {column} = NULL \
             WHERE receipt IN (SELECT receipt FROM {erasures} WHERE {which})"
        ))
    };
    let repository = "repository_id IS NOT NULL OR sender_id IS NULL";
    let sender = "sender_id IS NOT NULL OR repository_id IS NULL";
    [
        blank(&webhooks::TABLE, "git_ref", "1 = 1"),
        blank(&webhooks::TABLE, "repository", repository),
        blank(&webhooks::TABLE, "sender_id", sender),
        blank(&deliveries::TABLE, "repository", repository),
        blank(&dead_letters::TABLE, "repository", repository),
    ]
    .into_iter()
    .collect()
}
