//! The stores: one file each, and nothing outside it knows its name but the composition root.

#[cfg(any(feature = "store-mongodb", feature = "store-postgres"))]
mod keys;
#[cfg(feature = "store-mongodb")]
pub mod mongodb;
mod names;
mod own;
#[cfg(any(feature = "store-mongodb", feature = "store-postgres"))]
mod patience;
#[cfg(feature = "store-postgres")]
pub mod postgres;
mod published;
pub mod sqlite;
mod statement;
