//! Where rows are kept: the trait that every store implements.

use async_trait::async_trait;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::folding::{Changes, Wanted};
use hooklog_projections::projection::Projection;
use hooklog_projections::table::{Row, Table, Value};
use std::collections::BTreeMap;

/// A set of tables that are written together, with the checkpoint of what is in them.
///
/// # Rules for implementers
/// - `write` is one transaction: after an error, or the end of the process at any moment, either
///   all of it is there, the checkpoint too, or nothing.
/// - Rows come whole: a row with a key that is there replaces it. Writing the same twice is writing
///   it once.
/// - Values come back as they were handed in: integers of 64 bits, text byte for byte, ids of
///   sixteen bytes. Text is compared byte by byte.
/// - `scan` goes in the order of the key, bytes and text compared byte by byte.
/// - Nothing here knows what a table means. All meaning is in the fold, so that all stores hold the
///   same.
#[async_trait]
pub trait ProjectionStore: Send {
    /// What is there; nothing in a fresh store.
    async fn stored(&mut self) -> Result<Option<Stored>, StoreError>;

    /// Creates all tables, with their indexes, at `checkpoint`, in a fresh store.
    async fn create(&mut self, checkpoint: &Checkpoint) -> Result<(), StoreError>;

    /// The rows with the wanted keys, in any order; those that are not there are left out.
    async fn load(&mut self, wanted: &Wanted) -> Result<Vec<Row>, StoreError>;

    /// Writes rows and checkpoint, durably enough that the order of writes survives a crash.
    async fn write(&mut self, changes: Changes, checkpoint: &Checkpoint) -> Result<(), StoreError>;

    /// The first `limit` rows of `table` whose key comes after `after`, in the order of the key.
    async fn scan(
        &mut self,
        table: &'static Table,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;

    /// Begins a set of empty tables for these projections beside those that answer queries,
    /// without the indexes that can be made at the end. An earlier build that was given up goes.
    async fn build(
        &mut self,
        projections: &[&'static Projection],
    ) -> Result<Box<dyn ProjectionStore>, StoreError>;

    /// Ends a build: makes the indexes, then in one transaction switches queries to its tables,
    /// drops those that they replace, and sets the checkpoint. Other projections stay as they are.
    async fn switch(self: Box<Self>, checkpoint: &Checkpoint) -> Result<(), StoreError>;
}

/// What a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Up to where it has read, and which log.
    pub checkpoint: Checkpoint,
    /// The version of the tables of each projection.
    pub versions: BTreeMap<String, u32>,
}

/// Why a store did not do what was asked. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The library that it stands on is too old.
    #[error("the store is {found}, but {needed} or later is needed")]
    TooOld {
        /// What is there.
        found: String,
        /// What is needed.
        needed: &'static str,
    },
    /// It cannot be reached, or failed.
    #[error("the store of the tables failed while it was {doing}: {reason}")]
    Failed {
        /// What it was doing.
        doing: &'static str,
        /// What it says.
        reason: String,
    },
    /// It holds something that this release cannot have written.
    #[error("the store of the tables holds {0}; run `hooklog rebuild`")]
    Unreadable(String),
}
