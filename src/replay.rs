//! Delivers history again: what a replay owes, found in the original decisions by what its mode says.
//!
//! The worker that owns a partition plans and decides; the API plans too, to count before anybody is
//! asked. Both read the same and go by the same rules (`src/replay/plan.rs`), so what is counted is what comes.

mod past;
mod plan;
mod read;

pub use past::Destinations;
pub use plan::{Course, Fate, Passing, Routing, erased, settle};
pub use read::{Place, Planned, Scan, plan_part, prepare};

use crate::control::FollowError;
use crate::log::ReadError;
use hooklog_schemas::DecodeError;

/// Why history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record is not understood.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl From<FollowError> for ReplayError {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Read(error) => Self::Read(error),
            FollowError::Decode(error) => Self::Decode(error),
        }
    }
}

#[cfg(test)]
mod tests;
