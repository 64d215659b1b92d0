//! Where the tables of somebody's own projection are: the trait that every store implements.

use super::definition::Definition;
use super::place::Place;
use crate::log::ReadError;
use async_trait::async_trait;
use hooklog_schemas::{DecodeError, Offset};

/// The tables of one projection of somebody's own: those that answer, those that are built beside
/// them, and those of earlier versions, which are kept until they are dropped.
///
/// # Rules for implementers
/// - Its statements run with no right but on its own tables, and each ends after a limit.
/// - `apply` is one transaction: the statements and the place, or nothing. It fails with
///   [`OwnError::Moved`] when the tables are not where it continues from: another process did it.
/// - A set that is there and cannot be read, as after damage to the disk, is [`OwnError::Damaged`], and
///   no obstacle to `begin` and `switch`. A store that does not answer is not damaged.
/// - `begin` makes tables beside the ones that answer. `switch` puts them in their place in one step,
///   as seen by who reads, and keeps what was there by its version; what was kept of the same version
///   goes.
#[async_trait]
pub trait OwnStore: Send {
    /// What is in the tables of a set; nothing if they are not there.
    async fn stored(&mut self, set: Set) -> Result<Option<OwnStored>, OwnError>;

    /// Makes empty tables to build. What was there of an earlier build goes.
    async fn begin(&mut self, definition: &Definition, stored: &OwnStored) -> Result<(), OwnError>;

    /// Runs the fold over `events`, a JSON array, and notes that the tables are at `to`. Without
    /// events only that is noted.
    async fn apply(
        &mut self,
        set: Set,
        definition: &Definition,
        events: Option<&str>,
        advance: Advance<'_>,
    ) -> Result<(), OwnError>;

    /// Puts the tables that were built in the place of those that answer.
    async fn switch(&mut self) -> Result<(), OwnError>;

    /// The versions whose tables are kept, in their order.
    async fn kept(&mut self) -> Result<Vec<u32>, OwnError>;

    /// Drops the tables that are kept of a version; tells whether there were any.
    async fn drop_kept(&mut self, version: u32) -> Result<bool, OwnError>;
}

/// Which tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// Those that answer.
    Live,
    /// Those that are built.
    Next,
}

/// What a set of tables is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnStored {
    /// The version of the projection that made it.
    pub version: u32,
    /// The digest of the files that made it.
    pub digest: String,
    /// Where `control` ended when it was begun: erasures before that are blank in all of it.
    pub begun: Offset,
    /// Where it is.
    pub place: Place,
}

/// From which place to which a batch takes tables.
#[derive(Clone, Copy, Debug)]
pub struct Advance<'a> {
    /// Where they are.
    pub from: &'a Place,
    /// Where they will be.
    pub to: &'a Place,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    /// A statement of the projection failed.
    #[error("{file} line {line}: {reason}")]
    Statement {
        /// Its file.
        file: &'static str,
        /// Where it begins there.
        line: usize,
        /// What the store says.
        reason: String,
    },
    /// Another process has written since.
    #[error("another process writes these tables too")]
    Moved,
    /// The files or the store are not fit; the text says what to change.
    #[error("{0}")]
    Refused(String),
    /// A set of tables is there, and cannot be read.
    #[error(
        "its tables do not say any more how far they are: {0}; `hooklog rebuild` with its name builds \
         others in their place"
    )]
    Damaged(String),
    /// The store failed.
    #[error("the store of its tables failed while it was {doing}: {reason}")]
    Failed {
        /// What it was doing.
        doing: &'static str,
        /// What it says.
        reason: String,
    },
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log holds something that this release does not know.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The log has no first event yet.
    #[error("the log is empty: its first event must be log.created")]
    Empty,
}
