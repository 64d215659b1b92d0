//! The stores: one file each, and nothing outside it knows its name but the composition root.

mod names;
mod own;
#[cfg(feature = "store-postgres")]
pub mod postgres;
mod published;
pub mod sqlite;
mod statement;
