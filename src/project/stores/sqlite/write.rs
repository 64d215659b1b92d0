//! Bulk writes: a statement costs as much as tens of rows, so rows share statements.

use super::values::{Statements, bind};
use super::{failed, unreadable};
use crate::project::store::StoreError;
use crate::project::stores::names::{columns, key_columns, set_others};
use hooklog_projections::folding::TableChanges;
use hooklog_projections::table::{Row, Table};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments, query_with};
use std::sync::Arc;
use std::vec;

/// Rows of one statement: as many of the largest as there are, then the next smaller. A few sizes,
/// so that their statements stay prepared.
const SIZES: [usize; 4] = [256, 64, 8, 1];

/// While SQLite's thread works on a statement, the values of the next one are bound here.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    name: &str,
    changes: TableChanges,
    statements: &mut Statements,
) -> Result<(), StoreError> {
    let table = changes.table;
    let mut rows = changes.put.into_iter();
    let mut next = || bound(table, name, &mut rows, statements).transpose();
    let mut bound = next();
    while let Some(statement) = bound {
        let (sql, arguments) = statement?;
        let write = query_with(AssertSqlSafe(sql), arguments).execute(&mut *connection);
        let written;
        (written, bound) = tokio::join!(write, async { next() });
        written.map_err(failed("writing rows"))?;
    }
    Ok(())
}

/// The next statement with its values; none when all rows are taken.
fn bound(
    table: &'static Table,
    name: &str,
    rows: &mut vec::IntoIter<Row>,
    statements: &mut Statements,
) -> Result<Option<(Arc<str>, SqliteArguments)>, StoreError> {
    let Some(size) = SIZES.into_iter().find(|size| *size <= rows.len()) else {
        return Ok(None);
    };
    let sql = statements.get(table, size, || upsert(table, name, size));
    let mut arguments = SqliteArguments::default();
    arguments.reserve(size * table.columns.len(), 0);
    for value in rows.take(size).flatten() {
        bind(&mut arguments, value)?;
    }
    Ok(Some((sql, arguments)))
}

pub(super) async fn delete(
    connection: &mut SqliteConnection,
    name: &str,
    changes: &TableChanges,
) -> Result<(), StoreError> {
    let key = key_columns(changes.table);
    let one = format!("({})", vec!["?"; changes.table.key].join(","));
    for some in changes.delete.chunks(256) {
        let keys = vec![one.as_str(); some.len()].join(",");
        let sql = format!("DELETE FROM {name} WHERE ({key}) IN (VALUES {keys})");
        let mut arguments = SqliteArguments::default();
        for value in some.iter().flatten() {
            bind(&mut arguments, value.clone())?;
        }
        let query = query_with(AssertSqlSafe(sql), arguments).persistent(false);
        let deleted = query.execute(&mut *connection).await;
        deleted.map_err(|error| unreadable(error.to_string()))?;
    }
    Ok(())
}

/// Inserts rows, or replaces in place those whose keys are there.
fn upsert(table: &Table, name: &str, rows: usize) -> String {
    let one = format!("({})", vec!["?"; table.columns.len()].join(","));
    let values = vec![one.as_str(); rows].join(",");
    let (columns, key, set) = (columns(table), key_columns(table), set_others(table));
    format!(
        "INSERT INTO {name} ({columns}) VALUES {values} ON CONFLICT ({key}) DO UPDATE SET {set}"
    )
}
