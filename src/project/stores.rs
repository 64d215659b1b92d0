//! The stores: one file each, and nothing outside it knows its name but the composition root.

pub mod sqlite;
