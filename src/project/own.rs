//! Projections of somebody's own: a folder with a description and SQL becomes tables that are
//! folded from the log, kept up to date and rebuilt beside hooklog's, and cannot touch those.

mod batch;
mod definition;
mod desk;
mod erasures;
mod events;
mod keeper;
mod manifest;
mod reading;
mod sets;
mod sql;
mod status;
mod store;

pub use batch::examples;
pub use definition::{Definition, DefinitionError};
pub use desk::{OpenOwn, OwnClerk, OwnDesk, OwnDeskError, OwnDeskParts};
pub use keeper::{Keeper, KeeperParts, OwnHandle};
pub use sql::{Flavour, Sql, SqlError, Statement};
pub use status::{OwnState, OwnStatus};
pub use store::{Advance, OwnError, OwnStore, OwnStored, Place, Set};

#[cfg(test)]
pub(crate) mod tests;
