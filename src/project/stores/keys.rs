//! Rows by their keys.

use hooklog_projections::table::{Row, Table};

/// One statement may not write a row twice. Rows come sorted, so those of one key stand together.
pub(super) fn last_of_each_key<'a>(table: &Table, rows: &'a [Row]) -> Vec<&'a Row> {
    let mut last: Vec<&Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match last.last_mut() {
            Some(before) if before[..table.key] == row[..table.key] => *before = row,
            _ => last.push(row),
        }
    }
    last
}
