//! The names of tables in a database, and the files of SQL that make them.

use crate::project::store::StoreError;
use hooklog_projections::projection::Projection;
use hooklog_projections::table::Table;
use std::collections::BTreeMap;

/// The SQL of one projection; `{table}` stands for the table's name with version and suffix.
pub(super) struct Files {
    pub(super) tables: &'static str,
    pub(super) indexes: &'static str,
}

/// The files of SQL of the projection named by an expression, for the store named by its folder.
macro_rules! files {
    ($store:literal, $name:expr) => {
        $crate::project::stores::names::files!(
            @each $store, $name;
            "partitions", "webhooks", "deliveries", "attempts", "dead_letters", "counts",
            "subscriptions", "sources", "erasures", "reads", "replays"
        )
    };
    (@each $store:literal, $name:expr; $($projection:literal),*) => {
        match $name {
            $($projection => $crate::project::stores::names::Files {
                tables: include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"), "/projections/", $projection, "/", $store, "/tables.sql")),
                indexes: include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"), "/projections/", $projection, "/", $store, "/indexes.sql")),
            },)*
            _ => $crate::project::stores::names::Files { tables: "", indexes: "" },
        }
    };
}
pub(super) use files;

/// The names of tables in the database, by their names in the fold.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(BTreeMap<&'static str, String>);

impl Names {
    /// The names of the tables of these projections, with these suffixes.
    pub(super) fn of(projections: impl Iterator<Item = (&'static Projection, String)>) -> Self {
        let names = projections.flat_map(|(projection, suffix)| {
            let named =
                move |table: &&'static Table| (table.name, named(projection, table, &suffix));
            projection.tables.iter().map(named)
        });
        Self(names.collect())
    }

    pub(super) fn get(&self, table: &Table) -> Result<&str, StoreError> {
        let name = self.0.get(table.name).map(String::as_str);
        name.ok_or_else(|| StoreError::Unreadable(format!("no table {}", table.name)))
    }

    /// All names, in the order of those in the fold.
    #[cfg(feature = "store-postgres")]
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// `template` with the names put in.
    pub(super) fn fill(&self, template: &str) -> String {
        let put = |sql: String, (table, name): (&&str, &String)| {
            sql.replace(&format!("{{{table}}}"), name)
        };
        self.0.iter().fold(template.to_owned(), put)
    }
}

/// The name of one table.
fn named(projection: &Projection, table: &Table, suffix: &str) -> String {
    format!("{}_v{}{suffix}", table.name, projection.version)
}

/// The names of a projection's tables, separated by spaces.
pub(super) fn listed(projection: &Projection, suffix: &str) -> String {
    let name = |table: &&Table| named(projection, table, suffix);
    let names: Vec<_> = projection.tables.iter().map(name).collect();
    names.join(" ")
}

/// A suffix for a build that is none of those that are taken.
pub(super) fn free_suffix(taken: &[String]) -> String {
    let mut suffixes = (1..).map(|n: u32| format!("_b{n}"));
    let free = suffixes.find(|suffix| !taken.contains(suffix));
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
