//! Projections of somebody's own: a folder with a description and SQL becomes tables that are
//! folded from the log, kept up to date and rebuilt beside hooklog's, and cannot touch those.

mod batch;
mod clerk;
mod definition;
mod desk;
mod erasures;
mod events;
mod handed;
mod keeper;
mod manifest;
mod place;
mod reading;
mod sets;
mod sql;
mod status;
mod store;

pub use clerk::{OpenOwn, OwnClerk, OwnClerkParts};
pub use definition::{Definition, DefinitionError};
pub use desk::{OwnDesk, OwnDeskError};
pub use handed::examples;
pub use keeper::{Keeper, KeeperParts, OwnHandle};
pub use place::Place;
pub use sql::{Flavour, Sql, SqlError, Statement};
pub use status::{OwnState, OwnStatus};
pub use store::{Advance, OwnError, OwnStore, OwnStored, Set};

#[cfg(test)]
pub(crate) mod tests;
