//! The composition root: from configuration to running parts.

pub mod admin_token;
pub mod open;
pub mod tasks;
pub mod telemetry;
