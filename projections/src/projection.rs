//! The list of projections: which tables belong together, and in which version.

use crate::table::Table;
use crate::{
    attempts, counts, dead_letters, deliveries, erasures, partitions, reads, replays, sources,
    subscriptions, webhooks,
};

/// A named, versioned fold into tables. Its version goes up when its tables or its meaning change.
#[derive(Debug, PartialEq, Eq)]
pub struct Projection {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// Its version, from 1.
    pub version: u32,
    /// Its tables.
    pub tables: &'static [&'static Table],
    /// Projections whose rows its fold reads: they are rebuilt with it.
    pub reads: &'static [&'static str],
    /// Earlier versions that are still written and read, until tables of this one are built.
    pub earlier: &'static [Earlier],
}

/// An earlier version of a projection: tables with the same names and keys, and fewer columns. A
/// version whose rows cannot be made of today's by leaving out columns is none of these.
#[derive(Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The version.
    pub version: u32,
    /// Its tables.
    pub tables: &'static [&'static Table],
}

impl Projection {
    /// The projection with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PROJECTIONS.into_iter().find(|p| p.name == name)
    }

    /// Its tables in `version`; none if this release cannot write them.
    #[must_use]
    pub fn tables_in(&self, version: u32) -> Option<&'static [&'static Table]> {
        if version == self.version {
            return Some(self.tables);
        }
        let mut earlier = self.earlier.iter();
        earlier.find(|e| e.version == version).map(|e| e.tables)
    }
}

/// Every projection, in the order in which an event passes them.
pub const PROJECTIONS: [&Projection; 11] = [
    &partitions::PROJECTION,
    &webhooks::PROJECTION,
    &deliveries::PROJECTION,
    &attempts::PROJECTION,
    &dead_letters::PROJECTION,
    &counts::PROJECTION,
    &subscriptions::PROJECTION,
    &sources::PROJECTION,
    &erasures::PROJECTION,
    &reads::PROJECTION,
    &replays::PROJECTION,
];

/// The projections with these names and those that they read; all of them for no names.
///
/// # Errors
/// The first name that is no projection's.
pub fn with_what_they_read(names: &[String]) -> Result<Vec<&'static Projection>, String> {
    let known = |name: &str| PROJECTIONS.iter().find(|p| p.name == name).copied();
    let mut wanted = Vec::new();
    for name in names {
        let projection = known(name).ok_or_else(|| name.clone())?;
        wanted.push(projection.name);
        wanted.extend(projection.reads);
    }
    let chosen = PROJECTIONS.into_iter();
    Ok(chosen
        .filter(|p| names.is_empty() || wanted.contains(&p.name))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_projection_comes_with_what_it_reads() {
        let chosen = with_what_they_read(&["counts".to_owned()]).unwrap();
        let names: Vec<_> = chosen.iter().map(|p| p.name).collect();
        assert_eq!(names, ["partitions", "deliveries", "counts"]);
        assert_eq!(with_what_they_read(&[]).unwrap().len(), PROJECTIONS.len());
        assert_eq!(
            with_what_they_read(&["orders".to_owned()]),
            Err("orders".to_owned())
        );
    }

    #[test]
    fn what_a_projection_reads_is_closed() {
        for projection in PROJECTIONS {
            for read in projection.reads {
                let read = PROJECTIONS.iter().find(|p| p.name == *read).unwrap();
                assert!(read.reads.iter().all(|r| projection.reads.contains(r)));
            }
        }
    }

    #[test]
    fn every_table_has_its_own_name_and_a_key() {
        let tables: Vec<_> = PROJECTIONS.iter().flat_map(|p| p.tables).collect();
        let names: BTreeSet<_> = tables.iter().map(|table| table.name).collect();
        assert_eq!(names.len(), tables.len());
        for table in tables {
            assert!(table.key > 0 && table.key < table.columns.len());
            assert!(table.columns[..table.key].iter().all(|c| !c.optional));
        }
    }

    #[test]
    fn an_earlier_version_has_the_same_keys_and_no_column_that_is_not_there_today() {
        for projection in PROJECTIONS {
            for earlier in projection.earlier {
                assert!(earlier.version < projection.version);
                for table in earlier.tables {
                    let today = projection.tables.iter().find(|t| t.name == table.name);
                    let today = today.unwrap();
                    assert_eq!(today.columns[..today.key], table.columns[..table.key]);
                    assert!(table.columns.iter().all(|c| today.columns.contains(c)));
                    let added = today.columns.iter().filter(|c| !table.columns.contains(c));
                    assert!(added.clone().all(|c| c.optional), "{}", table.name);
                }
            }
        }
    }
}
