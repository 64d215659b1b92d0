//! Where rows are kept: the trait that every store implements.

use async_trait::async_trait;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::folding::{Changes, Wanted};
use hooklog_projections::projection::Projection;
use hooklog_projections::table::{Row, Table, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// A set of tables that are written together, with the checkpoint of what is in them.
///
/// One writer at a time: it acquires a lease, and whoever acquires it next supersedes it. What may
/// be written is decided by the store in the transaction that writes, never by the writer's clock:
/// a process that was paused for longer than its lease, and goes on, writes nothing.
///
/// # Rules for implementers
/// - `acquire` gives the lease to one writer, for as long as it said, counted from each `renew` and
///   `write` by the clock of the store. While it lasts another writer gets [`StoreError::Held`].
///   Tables that belong to one process need not wait for that: they go to who asks last.
/// - `create`, `write`, `renew` and `switch` fail with [`StoreError::Superseded`], and change
///   nothing, when another writer acquired the lease since, or this one never did.
/// - `write` also fails, with [`StoreError::Moved`], when the tables are not where it continues
///   from: a backup was restored, or a standby with less in it took over.
/// - `write` is one transaction: after an error, or the end of the process at any moment, either
///   all of it is there, the checkpoint too, or nothing.
/// - Rows come whole: a row with a key that is there replaces it; of two with one key in one write
///   the later counts. Writing the same twice is writing it once.
/// - Values come back as they were handed in: integers of 64 bits, text byte for byte, ids of
///   sixteen bytes. Text is compared byte by byte.
/// - `scan` goes in the order of the key, bytes and text compared byte by byte.
/// - Reading needs no lease. Who reads never fails because tables are switched.
/// - Nothing here knows what a table means. All meaning is in the fold, so that all stores hold the
///   same.
#[async_trait]
pub trait ProjectionStore: Send {
    /// Takes the lease, or takes it anew, for `lease` from now on.
    async fn acquire(&mut self, writer: &str, lease: Duration) -> Result<(), StoreError>;

    /// Keeps the lease, while there is nothing to write.
    async fn renew(&mut self) -> Result<(), StoreError>;

    /// Gives the lease back, so that another writer need not wait for its end.
    async fn release(&mut self) -> Result<(), StoreError>;

    /// What is there; nothing in a fresh store.
    async fn stored(&mut self) -> Result<Option<Stored>, StoreError>;

    /// Creates all tables, with their indexes, at `checkpoint`, in a fresh store.
    async fn create(&mut self, checkpoint: &Checkpoint) -> Result<(), StoreError>;

    /// The rows with the wanted keys, in any order; those that are not there are left out.
    async fn load(&mut self, wanted: &Wanted) -> Result<Vec<Row>, StoreError>;

    /// Writes rows and checkpoint, durably enough that the order of writes survives a crash.
    async fn write(&mut self, changes: Changes, advance: Advance<'_>) -> Result<(), StoreError>;

    /// The first `limit` rows of `table` whose key comes after `after`, in the order of the key.
    async fn scan(
        &mut self,
        table: &'static Table,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;

    /// Begins a set of empty tables for these projections beside those that answer queries, at
    /// `checkpoint`, without the indexes that can be made at the end, under the lease of this
    /// store. An earlier build that was given up goes.
    async fn build(
        &mut self,
        projections: &[&'static Projection],
        checkpoint: &Checkpoint,
    ) -> Result<Box<dyn ProjectionStore>, StoreError>;

    /// Ends a build: makes the indexes, then in one transaction switches queries to its tables and
    /// sets the checkpoint, and gives the lease back. The tables that they replace go as soon as
    /// nobody reads them. Other projections stay as they are.
    async fn switch(self: Box<Self>, checkpoint: &Checkpoint) -> Result<(), StoreError>;
}

/// From which checkpoint to which a write takes the tables.
#[derive(Clone, Copy, Debug)]
pub struct Advance<'a> {
    /// Where they are.
    pub from: &'a Checkpoint,
    /// Where they will be.
    pub to: &'a Checkpoint,
}

/// What a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Up to where it has read, and which log.
    pub checkpoint: Checkpoint,
    /// The version of the tables of each projection.
    pub versions: BTreeMap<String, u32>,
}

/// Why a store did not do what was asked. Nothing was written, but where a connection failed while
/// it was confirming: then the tables tell.
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
    /// It does not let us in, or is not fit for tables; the text says what to change.
    #[error("the store of the tables cannot be used: {0}")]
    Refused(String),
    /// It cannot be reached, or failed.
    #[error("the store of the tables failed while it was {doing}: {reason}")]
    Failed {
        /// What it was doing.
        doing: &'static str,
        /// What it says.
        reason: String,
    },
    /// Another writer has the lease.
    #[error("{by} writes the tables; its lease ends in {}.{:03} s unless it is renewed", .ends_in.as_secs(), .ends_in.subsec_millis())]
    Held {
        /// Who has it.
        by: String,
        /// When it ends, unless it is renewed.
        ends_in: Duration,
    },
    /// Another writer has acquired the lease since.
    #[error("the tables are written by {by} now")]
    Superseded {
        /// Who has the lease.
        by: String,
    },
    /// They are not where this writer left them.
    #[error(
        "the tables are not where this writer left them: a backup was restored, or a standby with \
         less in it took over"
    )]
    Moved,
    /// It holds something that this release cannot have written.
    #[error("the store of the tables holds {0}; run `hooklog rebuild`")]
    Unreadable(String),
}

impl StoreError {
    /// Whether waiting may help: another writer may stop, a server may come back.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        !matches!(
            self,
            Self::TooOld { .. } | Self::Refused(_) | Self::Unreadable(_)
        )
    }
}

/// The writer that is told where nobody has the lease.
pub(super) const NOBODY: &str = "nobody";
