//! Where the tables of somebody's own projection are: the trait that every store implements.

use super::definition::Definition;
use async_trait::async_trait;
use hooklog_projections::checkpoint::Checkpoint;

/// The tables of one projection of somebody's own.
///
/// # Rules for implementers
/// - Its statements run with no right but on its own tables, and each ends after a limit.
/// - `apply` is one transaction: the statements and the checkpoint, or nothing. It fails with
///   [`OwnError::Moved`] when the tables are not where it continues from: another process did it.
/// - `begin` makes tables beside the ones that answer; `switch` puts them in their place in one
///   step, and keeps what was there under another name until the next switch.
#[async_trait]
pub trait OwnStore: Send {
    /// What is in the tables that answer, or in those that are built; nothing if they are not there.
    async fn stored(&mut self, set: Set) -> Result<Option<OwnStored>, OwnError>;

    /// Makes empty tables to build, at `checkpoint`. What was there of an earlier build goes.
    async fn begin(
        &mut self,
        definition: &Definition,
        checkpoint: &Checkpoint,
    ) -> Result<(), OwnError>;

    /// Runs the fold over `events`, a JSON array, and notes that the tables are at `to`. Without
    /// events only that is noted.
    async fn apply(
        &mut self,
        set: Set,
        definition: &Definition,
        events: Option<&str>,
        advance: (&Checkpoint, &Checkpoint),
    ) -> Result<(), OwnError>;

    /// Puts the tables that were built in the place of those that answer.
    async fn switch(&mut self) -> Result<(), OwnError>;
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
    /// Up to where it has read, and which log.
    pub checkpoint: Checkpoint,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    /// A statement of the projection failed.
    #[error("{what} fails: {reason}")]
    Statement {
        /// Which one.
        what: String,
        /// What the store says.
        reason: String,
    },
    /// Another process has written since.
    #[error("another process writes these tables too")]
    Moved,
    /// The store does not let us in, or would give too many rights; the text says what to change.
    #[error("{0}")]
    Refused(String),
    /// The store failed.
    #[error("the store failed while it was {doing}: {reason}")]
    Failed {
        /// What it was doing.
        doing: &'static str,
        /// What it says.
        reason: String,
    },
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] crate::project::ProjectError),
}
