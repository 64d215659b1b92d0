//! Folds the log into tables.
//!
//! The fold itself is pure and lives in `hooklog-projections`; here are the parts that read the
//! log, hold the rows, and write them together with the checkpoint.

mod dump;
mod feed;
mod rebuild;
mod runner;
mod status;
mod store;
pub mod stores;

pub use dump::{dump, hash};
pub use rebuild::{Progress, RebuildError, rebuild};
pub use runner::{ProjectError, Projector, ProjectorParts};
pub use status::{Standing, Status};
pub use store::{Advance, ProjectionStore, StoreError, Stored};

use hooklog_projections::projection::PROJECTIONS;
use hooklog_schemas::EventId;

/// Why stored tables cannot be written on. All of these are answered by a rebuild.
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
    /// They are of another version.
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
}

/// Whether tables of log `log` in the versions of this release are there.
fn fits(stored: &Stored, log: EventId) -> Result<(), Unfit> {
    if stored.checkpoint.log != log {
        let stored = stored.checkpoint.log;
        return Err(Unfit::OtherLog { stored, log });
    }
    for projection in PROJECTIONS {
        let version = stored.versions.get(projection.name).copied();
        if version != Some(projection.version) {
            return Err(Unfit::OtherVersion {
                projection: projection.name,
                stored: version.unwrap_or_default(),
                version: projection.version,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod conformance;
#[cfg(test)]
pub(crate) mod tests;
