//! Folds the log into tables.
//!
//! The fold itself is pure and lives in `hooklog-projections`; here are the parts that read the
//! log, hold the rows, and write them together with the checkpoint.

mod desk;
mod dump;
mod feed;
pub mod own;
mod rebuild;
mod runner;
mod status;
mod store;
pub mod stores;
pub mod told;

pub use desk::{Clerk, Desk, DeskError, DeskParts, DeskState, Job, Listing, OpenStore};
pub use dump::{dump, hash};
pub use rebuild::{
    Compared, Found, Order, Phase, Progress, RebuildError, Rebuilt, drop_set, rebuild, switch_back,
};
pub use runner::{ProjectError, Projector, ProjectorParts};
pub use status::{Standing, Status};
pub use store::{Advance, Holder, ProjectionStore, SetKind, StoreError, Stored, TableSet};

use hooklog_projections::layout::{Layout, Misfit};
#[cfg(test)]
use hooklog_projections::projection::PROJECTIONS;
use hooklog_schemas::EventId;

/// Why stored tables cannot be written on. All but the last are answered by a rebuild.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// They were folded from another log.
    #[error("the tables are of log {stored}, but this is log {log}; run `hooklog rebuild`")]
    OtherLog {
        /// The log that they are of.
        stored: EventId,
        /// This log.
        log: EventId,
    },
    /// They have read further than the log goes.
    #[error(
        "the tables have read {topic}/{partition} up to {next}, but the log ends at {tail}; \
         run `hooklog rebuild`"
    )]
    BeyondTheEnd {
        /// The topic.
        topic: &'static str,
        /// The partition.
        partition: u32,
        /// What they would read next.
        next: u64,
        /// Where the partition ends.
        tail: u64,
    },
    /// They are of a version that this release cannot go on with, or lack what others are folded
    /// from.
    #[error(
        "the tables of {projection} have version {stored}, this release has version {version}; \
         run `hooklog rebuild`"
    )]
    OtherVersion {
        /// The projection.
        projection: &'static str,
        /// The version that is there; 0 if there is none.
        stored: u32,
        /// The version of this release.
        version: u32,
    },
    /// A newer release made them.
    #[error(
        "the tables of {projection} have version {stored}, and this release knows version {version}; \
         run the release that built them, or switch back to the ones before with it: `hooklog \
         projection switch --back`"
    )]
    Newer {
        /// The projection.
        projection: String,
        /// The version that is there.
        stored: u32,
        /// The version of this release; 0 if it does not know the projection.
        version: u32,
    },
}

impl Unfit {
    /// Whether new tables may replace these. Those of a newer release are not ours to replace.
    #[must_use]
    pub const fn is_answered_by_a_rebuild(&self) -> bool {
        !matches!(self, Self::Newer { .. })
    }
}

impl From<Misfit> for Unfit {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::Newer {
                projection,
                stored,
                version,
            } => Self::Newer {
                projection,
                stored,
                version,
            },
            Misfit::Older {
                projection,
                stored,
                version,
            } => Self::OtherVersion {
                projection,
                stored,
                version,
            },
        }
    }
}

/// What tables of log `log` there are, if this release can go on with them.
fn fits(stored: &Stored, log: EventId) -> Result<Layout, Unfit> {
    if stored.checkpoint.log != log {
        let stored = stored.checkpoint.log;
        return Err(Unfit::OtherLog { stored, log });
    }
    Ok(Layout::of(&stored.versions)?)
}

#[cfg(test)]
pub(crate) mod conformance;
#[cfg(test)]
pub(crate) mod tests;
