//! The names of tables in a database, and the files of SQL that make them.

use crate::project::store::StoreError;
use hooklog_projections::projection::{PROJECTIONS, Projection};
use hooklog_projections::table::{Column, Kind, Table};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The SQL of one projection; `{table}` stands for the table's name with version and suffix.
pub(super) struct Files {
    pub(super) tables: &'static str,
    pub(super) indexes: &'static str,
}

/// One file of the projection named by an expression, in the folder of a store; nothing for a name
/// that is none.
macro_rules! file {
    ($store:literal, $file:literal, $name:expr) => {
        $crate::project::stores::names::file!(
            @each $store, $file, $name;
            "partitions", "webhooks", "deliveries", "attempts", "dead_letters", "counts",
            "subscriptions", "sources", "erasures", "reads", "replays"
        )
    };
    (@each $store:literal, $file:literal, $name:expr; $($projection:literal),*) => {
        match $name {
            $($projection => include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/projections/", $projection, "/", $store, "/", $file
            )),)*
            _ => "",
        }
    };
}
pub(super) use file;

/// The files of SQL of the projection named by an expression, for the store named by its folder.
macro_rules! files {
    ($store:literal, $name:expr) => {
        $crate::project::stores::names::Files {
            tables: $crate::project::stores::names::file!($store, "tables.sql", $name),
            indexes: $crate::project::stores::names::file!($store, "indexes.sql", $name),
        }
    };
}
pub(super) use files;

/// The tables of a projection as a set has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) projection: String,
    pub(super) version: u32,
    pub(super) suffix: String,
    /// The names of its tables, separated by spaces.
    pub(super) tables: String,
}

impl Member {
    /// The tables of `projection` as they are today, with this suffix.
    pub(super) fn today(projection: &Projection, suffix: &str) -> Self {
        let name = |table: &&Table| named(table, projection.version, suffix);
        let names: Vec<_> = projection.tables.iter().map(name).collect();
        Self {
            projection: projection.name.to_owned(),
            version: projection.version,
            suffix: suffix.to_owned(),
            tables: names.join(" "),
        }
    }
}

/// The versions of the projections that have these tables.
pub(super) fn versions(members: &[Member]) -> BTreeMap<String, u32> {
    let version = |member: &Member| (member.projection.clone(), member.version);
    members.iter().map(version).collect()
}

/// The tables of a set, by their names in the fold.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    tables: BTreeMap<&'static str, (String, &'static Table)>,
    /// The versions of the projections, those that this release cannot use too.
    versions: BTreeMap<String, u32>,
}

impl Names {
    /// Those of these members.
    pub(super) fn of(members: &[Member]) -> Self {
        let mut names = Self {
            versions: versions(members),
            ..Self::default()
        };
        for member in members {
            let projection = Projection::named(&member.projection);
            let tables = projection.and_then(|p| p.tables_in(member.version));
            for table in tables.unwrap_or_default() {
                let name = named(table, member.version, &member.suffix);
                names.tables.insert(table.name, (name, table));
            }
        }
        names
    }

    /// Those of today's tables, with this suffix.
    pub(super) fn today(projections: &[&'static Projection], suffix: &str) -> Self {
        let members: Vec<_> = projections
            .iter()
            .map(|projection| Member::today(projection, suffix))
            .collect();
        Self::of(&members)
    }

    pub(super) fn get(&self, table: &Table) -> Result<&str, StoreError> {
        let (name, _) = self.find(table)?;
        Ok(name)
    }

    /// The table as the set has it: of an earlier version it lacks columns.
    #[cfg(feature = "store-mongodb")]
    pub(super) fn stored(&self, table: &Table) -> Result<&'static Table, StoreError> {
        let (_, stored) = self.find(table)?;
        Ok(stored)
    }

    /// What is selected for each column of `table`, separated by commas: nothing for those that the
    /// set does not have.
    pub(super) fn selected(&self, table: &Table) -> Result<String, StoreError> {
        let (_, stored) = self.find(table)?;
        let column = |column: &Column| match stored.place(column.name) {
            Some(_) => column.name.to_owned(),
            None => format!("CAST(NULL AS {}) AS {}", sql_type(column), column.name),
        };
        let columns: Vec<_> = table.columns.iter().map(column).collect();
        Ok(columns.join(","))
    }

    fn find(&self, table: &Table) -> Result<&(String, &'static Table), StoreError> {
        self.tables.get(table.name).ok_or_else(|| {
            let has = |p: &&&Projection| p.tables.iter().any(|t| t.name == table.name);
            match PROJECTIONS.iter().find(has) {
                Some(projection) => self.lacks(projection),
                None => StoreError::Unreadable(format!("no table {}", table.name)),
            }
        })
    }

    fn lacks(&self, projection: &'static Projection) -> StoreError {
        match self.versions.get(projection.name) {
            Some(&stored) if stored > projection.version => StoreError::Newer {
                projection: projection.name.to_owned(),
                stored,
                version: projection.version,
            },
            _ => StoreError::NotBuilt(projection.name),
        }
    }

    /// The versions of the projections.
    pub(super) const fn versions(&self) -> &BTreeMap<String, u32> {
        &self.versions
    }

    /// All names, in the order of those in the fold.
    #[cfg(any(feature = "store-mongodb", feature = "store-postgres"))]
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.tables.values().map(|(name, _)| name.as_str())
    }

    /// The projections that have tables here.
    pub(super) fn projections(&self) -> impl Iterator<Item = &'static Projection> {
        let has = |table: &&Table| self.tables.contains_key(table.name);
        PROJECTIONS
            .into_iter()
            .filter(move |p| p.tables.iter().any(has))
    }

    /// `template` with the names put in.
    pub(super) fn fill(&self, template: &str) -> String {
        let put = |sql: String, (table, (name, _)): (&&str, &(String, &Table))| {
            sql.replace(&format!("{{{table}}}"), name)
        };
        self.tables.iter().fold(template.to_owned(), put)
    }
}

/// A type of SQL that every store knows, for a column that is not there.
const fn sql_type(column: &Column) -> &'static str {
    match column.kind {
        Kind::Integer => "BIGINT",
        Kind::Text | Kind::Word => "TEXT",
        Kind::Id => "BYTEA",
    }
}

/// The name of one table.
fn named(table: &Table, version: u32, suffix: &str) -> String {
    format!("{}_v{version}{suffix}", table.name)
}

/// The first of `b1`, `b2`, … (for the word `b`) that is not taken.
pub(super) fn free(word: &str, taken: &[String]) -> String {
    let mut names = (1..).map(|n: u32| format!("{word}{n}"));
    let free = names.find(|name| !taken.contains(name));
    free.unwrap_or_default()
}

/// The names of all columns, as in a statement.
pub(super) fn columns(table: &Table) -> String {
    let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
    names.join(",")
}

/// The names of the primary key's columns, as in a statement.
pub(super) fn key_columns(table: &Table) -> String {
    let names: Vec<_> = table.columns[..table.key].iter().map(|c| c.name).collect();
    names.join(",")
}

/// What an upsert sets where the key is there: every column that is not part of it.
pub(super) fn set_others(table: &Table) -> String {
    let others = table.columns[table.key..].iter();
    let set: Vec<_> = others
        .map(|column| format!("{0}=excluded.{0}", column.name))
        .collect();
    set.join(",")
}
