//! What it means: pure folds over the events of the log.
//!
//! A fold reads no clock, does no I/O, draws no random number and depends on no map's order, so
//! that a table built again equals the one that lived, byte for byte.

pub mod configuration;
pub mod delivery;
