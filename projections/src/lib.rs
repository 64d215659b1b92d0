//! What it means: pure folds over the events of the log.
//!
//! A fold reads no clock, does no I/O, draws no random number and depends on no map's order, so
//! that a table built again equals the one that lived, byte for byte.

pub mod configuration;
pub mod delivery;

pub mod attempts;
pub mod counts;
pub mod dead_letters;
pub mod deliveries;
pub mod erasures;
pub mod partitions;
pub mod reads;
pub mod replays;
pub mod sources;
pub mod subscriptions;
pub mod webhooks;

mod changes;

pub mod checkpoint;
pub mod folding;
pub mod layout;
pub mod projection;
pub mod table;
