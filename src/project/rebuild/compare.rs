//! Compares new tables with those that they will replace, at the same checkpoint.

use crate::project::dump::{heading, line};
use crate::project::store::{ProjectionStore, StoreError};
use hooklog_projections::layout::narrowed;
use hooklog_projections::projection::Projection;
use hooklog_projections::table::{Row, Table, Value};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What came of comparing one projection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The projection.
    pub projection: &'static str,
    /// What was found.
    pub found: Found,
}

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// All rows are the same.
    Same {
        /// How many there are.
        rows: u64,
        /// SHA-256 of the canonical dump of what was compared, in hex.
        sha256: String,
        /// Tables and columns that the old ones do not have, which could not be compared.
        added: Vec<String>,
    },
    /// They differ. The log is right, so the new tables are; the old ones are kept to look at.
    Different {
        /// The table.
        table: &'static str,
        /// The key of the first row that differs, as in a dump.
        key: String,
    },
    /// There was nothing to compare with.
    Nothing,
}

/// Rows read at a time.
const ROWS: usize = 4_000;

/// How often leases are renewed meanwhile.
const RENEWAL: Duration = Duration::from_secs(1);

/// Two sets at the same checkpoint.
pub(super) struct Pair<'a> {
    pub(super) old: &'a mut dyn ProjectionStore,
    /// Whether nobody writes `old` because we have its lease.
    pub(super) old_is_leased: bool,
    pub(super) new: &'a mut dyn ProjectionStore,
    pub(super) renewed: Instant,
}

impl Pair<'_> {
    /// Compares every projection of the new set, whose versions are today's or those of the old one.
    pub(super) async fn compare(
        &mut self,
        old: &BTreeMap<String, u32>,
        new: &BTreeMap<String, u32>,
    ) -> Result<Vec<Compared>, StoreError> {
        let mut compared = Vec::new();
        for projection in new.keys().filter_map(|name| Projection::named(name)) {
            let tables = |versions: &BTreeMap<String, u32>| {
                let version = versions.get(projection.name)?;
                projection.tables_in(*version)
            };
            let found = match (tables(old), tables(new)) {
                (Some(old), Some(new)) => self.projection(old, new).await?,
                _ => Found::Nothing,
            };
            let projection = projection.name;
            compared.push(Compared { projection, found });
        }
        Ok(compared)
    }

    async fn projection(
        &mut self,
        old: &'static [&'static Table],
        new: &'static [&'static Table],
    ) -> Result<Found, StoreError> {
        let mut rows = 0;
        let mut hash = Sha256::new();
        let is_new = |table: &&&Table| old.iter().all(|other| other.name != table.name);
        let mut added: Vec<_> = new
            .iter()
            .filter(is_new)
            .map(|table| table.name.to_owned())
            .collect();
        for table in old {
            let Some(other) = new.iter().find(|other| other.name == table.name) else {
                continue;
            };
            let shared = common(table, other);
            let more = other
                .columns
                .iter()
                .filter(|c| table.place(c.name).is_none());
            added.extend(more.map(|column| format!("{}.{}", table.name, column.name)));
            hash.update(heading(shared, 0).as_bytes());
            if let Some(key) = self
                .table((table, other, shared), &mut rows, &mut hash)
                .await?
            {
                let table = table.name;
                return Ok(Found::Different { table, key });
            }
        }
        let sha256 = hex::encode(hash.finalize());
        Ok(Found::Same {
            rows,
            sha256,
            added,
        })
    }

    /// Compares what both tables have; the key of the first row that differs.
    async fn table(
        &mut self,
        (old, new, shared): (&'static Table, &'static Table, &'static Table),
        rows: &mut u64,
        hash: &mut Sha256,
    ) -> Result<Option<String>, StoreError> {
        let mut after: Option<Row> = None;
        loop {
            self.renew().await?;
            let ours = self.old.scan(old, after.as_deref(), ROWS).await?;
            let theirs = self.new.scan(new, after.as_deref(), ROWS).await?;
            let ours = narrowed(old, shared, ours);
            let theirs = narrowed(new, shared, theirs);
            if let Some(key) = difference(&ours, &theirs, shared.key) {
                return Ok(Some(key));
            }
            theirs
                .iter()
                .for_each(|row| hash.update(line(row).as_bytes()));
            *rows += theirs.len() as u64;
            match theirs.last() {
                Some(last) if theirs.len() == ROWS => after = Some(last[..shared.key].to_vec()),
                _ => return Ok(None),
            }
        }
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        if self.renewed.elapsed() < RENEWAL {
            return Ok(());
        }
        self.renewed = Instant::now();
        if self.old_is_leased {
            self.old.renew().await?;
        }
        self.new.renew().await
    }
}

/// That of the two that has fewer columns: the other one has them all.
const fn common(one: &'static Table, other: &'static Table) -> &'static Table {
    if one.columns.len() <= other.columns.len() {
        one
    } else {
        other
    }
}

/// The key of the first row that differs.
fn difference(ours: &[Row], theirs: &[Row], key: usize) -> Option<String> {
    let told = |row: &[Value]| line(&row[..key]).trim_end().to_owned();
    let differ = ours.iter().zip(theirs).find(|(a, b)| a != b);
    if let Some((a, b)) = differ {
        return Some(told(a.min(b)));
    }
    let longer = if ours.len() > theirs.len() {
        ours
    } else {
        theirs
    };
    let shorter = ours.len().min(theirs.len());
    longer.get(shorter).map(|row| told(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_row_that_differs_is_told_by_its_key() {
        let rows = |numbers: &[i64]| -> Vec<Row> {
            let row = |n: &i64| vec![Value::Int(*n), Value::Int(n * 10)];
            numbers.iter().map(row).collect()
        };
        assert_eq!(difference(&rows(&[1, 2]), &rows(&[1, 2]), 1), None);
        let more = difference(&rows(&[1, 2]), &rows(&[1, 2, 3]), 1);
        assert_eq!(more.as_deref(), Some("3"));
        let less = difference(&rows(&[1, 2, 3]), &rows(&[1, 3]), 1);
        assert_eq!(less.as_deref(), Some("2"));
        let mut other = rows(&[1, 2]);
        other[1][1] = Value::Null;
        assert_eq!(difference(&rows(&[1, 2]), &other, 1).as_deref(), Some("2"));
    }
}
