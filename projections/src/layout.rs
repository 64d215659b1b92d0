//! Which tables a set holds, in which versions: the fold speaks of today's, a set may be older.

use crate::folding::{Changes, TableChanges, Wanted};
use crate::projection::{PROJECTIONS, Projection};
use crate::table::{Row, Table, Value};
use std::collections::BTreeMap;

/// The tables of a set, by name. It turns rows of today's tables into rows of theirs, and back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout(BTreeMap<&'static str, &'static Table>);

/// Why a set cannot be written by this release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// A newer release made it.
    Newer {
        /// The projection.
        projection: String,
        /// The version that is there.
        stored: u32,
        /// The last that this release knows; 0 if it does not know the projection.
        version: u32,
    },
    /// It is so old that its rows cannot be made of today's, or lacks rows that others are folded
    /// from.
    Older {
        /// The projection.
        projection: &'static str,
        /// The version that is there; 0 if there is none.
        stored: u32,
        /// The version of this release.
        version: u32,
    },
}

impl Layout {
    /// The tables of `projections` as they are today.
    #[must_use]
    pub fn today(projections: &[&'static Projection]) -> Self {
        let tables = projections.iter().flat_map(|p| p.tables);
        Self(tables.map(|table| (table.name, *table)).collect())
    }

    /// The tables of a set that holds these versions of projections.
    ///
    /// A projection that is not there is left out: it can be built beside.
    ///
    /// # Errors
    /// When this release cannot go on with them.
    pub fn of(versions: &BTreeMap<String, u32>) -> Result<Self, Misfit> {
        let mut tables = BTreeMap::new();
        for (name, &stored) in versions {
            for table in tables_of(name, stored)? {
                tables.insert(table.name, *table);
            }
        }
        for projection in PROJECTIONS {
            let folded = versions.contains_key(projection.name);
            let lacks = |read: &&&str| folded && !versions.contains_key(**read);
            if let Some(read) = projection.reads.iter().find(lacks) {
                let projection = Projection::named(read).unwrap_or(projection);
                return Err(Misfit::Older {
                    projection: projection.name,
                    stored: 0,
                    version: projection.version,
                });
            }
        }
        Ok(Self(tables))
    }

    /// The set's table that holds what `today` holds today; none if it is not there.
    #[must_use]
    pub fn table(&self, today: &Table) -> Option<&'static Table> {
        self.0.get(today.name).copied()
    }

    /// What is wanted of the set; nothing of what it does not hold.
    #[must_use]
    pub fn wanted(&self, wanted: Wanted) -> Option<Wanted> {
        let table = self.table(wanted.table)?;
        let keys = wanted.keys;
        (!keys.is_empty()).then_some(Wanted { table, keys })
    }

    /// What changes in the set: without the tables and columns that it does not have.
    #[must_use]
    pub fn narrow(&self, changes: Changes) -> Changes {
        let tables = changes.tables.into_iter().filter_map(|changes| {
            let table = self.table(changes.table)?;
            let put = narrowed(changes.table, table, changes.put);
            let changes = TableChanges {
                table,
                put,
                ..changes
            };
            Some(changes)
        });
        Changes {
            tables: tables.collect(),
        }
    }

    /// Rows of the set's table as rows of `today`; what it does not tell is nothing.
    #[must_use]
    pub fn widen(&self, today: &Table, rows: Vec<Row>) -> Vec<Row> {
        match self.table(today) {
            Some(table) if table.columns != today.columns => turned(table, today, rows),
            _ => rows,
        }
    }
}

/// Rows of `from` as rows of `to`, whose columns `from` has too.
#[must_use]
pub fn narrowed(from: &Table, to: &Table, rows: Vec<Row>) -> Vec<Row> {
    match from.columns == to.columns {
        true => rows,
        false => turned(from, to, rows),
    }
}

fn turned(from: &Table, to: &Table, rows: Vec<Row>) -> Vec<Row> {
    let places: Vec<_> = to.columns.iter().map(|c| from.place(c.name)).collect();
    let value = |row: &Row, place: Option<usize>| {
        let value = place.and_then(|place| row.get(place));
        value.cloned().unwrap_or(Value::Null)
    };
    let turn = |row: Row| places.iter().map(|place| value(&row, *place)).collect();
    rows.into_iter().map(turn).collect()
}

fn tables_of(name: &str, stored: u32) -> Result<&'static [&'static Table], Misfit> {
    let newer = |version| Misfit::Newer {
        projection: name.to_owned(),
        stored,
        version,
    };
    let projection = Projection::named(name).ok_or_else(|| newer(0))?;
    if stored > projection.version {
        return Err(newer(projection.version));
    }
    projection.tables_in(stored).ok_or(Misfit::Older {
        projection: projection.name,
        stored,
        version: projection.version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliveries;

    fn versions(deliveries: u32) -> BTreeMap<String, u32> {
        let mut versions: BTreeMap<_, _> = PROJECTIONS
            .iter()
            .map(|p| (p.name.to_owned(), p.version))
            .collect();
        versions.insert("deliveries".to_owned(), deliveries);
        versions
    }

    fn row(columns: usize) -> Row {
        (0..columns as i64).map(Value::Int).collect()
    }

    #[test]
    fn rows_of_an_earlier_version_have_fewer_columns_and_read_as_today_s() {
        let layout = Layout::of(&versions(1)).unwrap();
        let today = deliveries::TABLE.columns.len();
        let changes = Changes {
            tables: vec![TableChanges {
                table: &deliveries::TABLE,
                put: vec![row(today)],
                new: true,
                delete: Vec::new(),
            }],
        };
        let narrow = layout.narrow(changes);
        let before = Projection::named("deliveries").unwrap();
        let before = before.tables_in(1).unwrap()[0].columns.len();
        assert_eq!(narrow.tables[0].put, [row(before)]);
        let mut wide = row(before);
        wide.resize(today, Value::Null);
        let read = layout.widen(&deliveries::TABLE, vec![row(before)]);
        assert_eq!(read, [wide]);
    }

    #[test]
    fn what_a_set_lacks_is_neither_written_nor_wanted() {
        let mut versions = versions(2);
        versions.remove("counts");
        let layout = Layout::of(&versions).unwrap();
        let wanted = Wanted {
            table: &crate::counts::TABLE,
            keys: vec![row(3)],
        };
        assert!(layout.wanted(wanted).is_none());
    }

    #[test]
    fn a_newer_version_is_told_and_so_is_one_that_nothing_can_be_folded_from() {
        assert!(matches!(
            Layout::of(&versions(99)),
            Err(Misfit::Newer {
                stored: 99,
                version: 2,
                ..
            })
        ));
        let unknown = BTreeMap::from([("orders".to_owned(), 1)]);
        assert!(matches!(
            Layout::of(&unknown),
            Err(Misfit::Newer { version: 0, .. })
        ));
        let mut versions = versions(2);
        versions.remove("partitions");
        assert!(matches!(
            Layout::of(&versions),
            Err(Misfit::Older {
                projection: "partitions",
                stored: 0,
                ..
            })
        ));
    }
}
