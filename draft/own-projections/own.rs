//! Projections of somebody's own: a folder with a manifest and SQL becomes tables that are folded
//! from the log, kept up to date and rebuilt like hooklog's, and can do nothing to those.

mod batch;
mod definition;
mod runner;
mod sql;
mod store;

pub use definition::{Definition, DefinitionError, read_all};
pub use runner::{Keeper, OwnHandle, OwnParts, OwnStatus};
pub use sql::{Sql, SqlError};
pub use store::{OwnError, OwnStore, OwnStored, Set};

#[cfg(test)]
mod tests;
