//! Where rows are kept: the trait that every store implements.

use async_trait::async_trait;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::folding::{Changes, Wanted};
use hooklog_projections::projection::Projection;
use hooklog_projections::table::{Row, Table, Value};
use hooklog_schemas::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// A set of tables that are written together, with the checkpoint of what is in them: the live set,
/// which queries read, or one beside it, which is being built or was replaced.
///
/// One writer at a time: it acquires a lease, and whoever acquires it next supersedes it. What may
/// be written is decided by the store in the transaction that writes, never by the writer's clock:
/// a process that was paused for longer than its lease, and goes on, writes nothing. The live set
/// has a lease, and what is done beside it has another, so that a rebuild and a projector do not
/// disturb each other, and two rebuilds do not meet.
///
/// # Rules for implementers
/// - `acquire` gives the lease to one writer, for as long as it said, counted from each `renew` and
///   `write` by the clock of the store. While it lasts another writer gets [`StoreError::Held`].
///   Tables that belong to one process need not wait for that: they go to who asks last.
/// - `create`, `write`, `renew`, `finish` and `switch` fail with [`StoreError::Superseded`], and
///   change nothing, when another writer acquired the lease since, or this one never did.
/// - `write` also fails, with [`StoreError::Moved`], when the tables are not where it continues
///   from: a backup was restored, or a standby with less in it took over.
/// - `write` is one transaction: after an error, or the end of the process at any moment, either
///   all of it is there, the checkpoint too, or nothing.
/// - Rows come whole: a row with a key that is there replaces it; of two with one key in one write
///   the later counts. Writing the same twice is writing it once.
/// - Values come back as they were handed in: integers of 64 bits, text byte for byte, ids of
///   sixteen bytes. Text is compared byte by byte.
/// - `scan` goes in the order of the key, bytes and text compared byte by byte.
/// - Tables are handed in as they are in the set: of an earlier version, with fewer columns
///   ([`hooklog_projections::layout::Layout`] says which). Queries speak of today's: a column that
///   the live table does not have reads as nothing.
/// - Reading needs no lease. Who reads never fails because tables are switched.
/// - Nothing here knows what a table means. All meaning is in the fold, so that all stores hold the
///   same.
#[async_trait]
pub trait ProjectionStore: Send {
    /// Takes the lease, or takes it anew, for `lease` from now on.
    async fn acquire(&mut self, writer: &str, lease: Duration) -> Result<(), StoreError>;

    /// Takes the lease from whoever has it.
    async fn take_over(&mut self, writer: &str, lease: Duration) -> Result<(), StoreError>;

    /// Keeps the lease, while there is nothing to write.
    async fn renew(&mut self) -> Result<(), StoreError>;

    /// Gives the lease back, so that another writer need not wait for its end.
    async fn release(&mut self) -> Result<(), StoreError>;

    /// What is in the set; nothing in a fresh store.
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

    /// The set as it is now, for reading while others write; none where the store cannot do that.
    async fn freeze(&mut self) -> Result<Option<Box<dyn ProjectionStore>>, StoreError>;

    /// The sets beside the live one, by name.
    async fn sets(&mut self) -> Result<Vec<TableSet>, StoreError>;

    /// Begins a set of empty tables for these projections, in today's versions and under names that
    /// nothing has, at `checkpoint`, without the indexes that can be made at the end. Acquires the
    /// lease for what is done beside the live set; it stays with the set that is returned.
    async fn build(
        &mut self,
        projections: &[&'static Projection],
        checkpoint: &Checkpoint,
        holder: Holder<'_>,
    ) -> Result<Box<dyn ProjectionStore>, StoreError>;

    /// Opens a set that is there, to go on with it under the lease for what is done beside the live
    /// set.
    async fn reopen(
        &mut self,
        set: &str,
        holder: Holder<'_>,
    ) -> Result<Box<dyn ProjectionStore>, StoreError>;

    /// Makes what a set that is built still lacks before it answers queries: indexes, statistics.
    /// Doing it twice is doing it once. The lease is kept meanwhile.
    async fn finish(&mut self) -> Result<(), StoreError>;

    /// On the live set, under its lease: in one step, as seen by who reads, the tables of `set`, which
    /// stands at `at`, become those that queries read, and `at` the live checkpoint. What they
    /// replace becomes a set beside, at the checkpoint that the live set had; its name is returned,
    /// if anything was replaced.
    ///
    /// Fails with [`StoreError::Moved`] when `set` does not stand at `at`; or the live set does not,
    /// unless `set` has every projection: then everything that was live is replaced.
    async fn switch(&mut self, set: &str, at: &Checkpoint) -> Result<Option<String>, StoreError>;

    /// Drops a set beside the live one, under the lease for what is done there, as soon as nobody
    /// reads it.
    async fn drop_set(&mut self, set: &str, holder: Holder<'_>) -> Result<(), StoreError>;
}

/// Who wants a lease, and for how long at a time.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// What others are told of who has it.
    pub writer: &'a str,
    /// How long it lasts after it was last renewed.
    pub lease: Duration,
}

/// A set of tables beside the live one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSet {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: SetKind,
    /// Since when.
    pub since: Timestamp,
    /// Up to where it has read, which log, and the versions of its projections.
    pub stored: Stored,
}

/// What a set beside the live one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    /// It is being built.
    Building,
    /// It was live, and is kept until it is dropped.
    Kept,
}

impl SetKind {
    /// Its name, in stores and for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Kept => "kept",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn read(name: &str) -> Option<Self> {
        let mut all = [Self::Building, Self::Kept].into_iter();
        all.find(|kind| kind.as_str() == name)
    }
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
    /// The tables of a projection are not there yet.
    #[error("the tables of {0} are not built yet; `hooklog rebuild` builds them")]
    NotBuilt(&'static str),
    /// A newer release made the tables.
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
    /// There is no such set of tables.
    #[error("there is no set of tables {0}; `hooklog projection list` shows them")]
    NoSet(String),
}

impl StoreError {
    /// Whether waiting may help: another writer may stop, a server may come back.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        !matches!(
            self,
            Self::TooOld { .. }
                | Self::Refused(_)
                | Self::Unreadable(_)
                | Self::Newer { .. }
                | Self::NoSet(_)
        )
    }
}

/// The writer that is told where nobody has the lease.
pub(super) const NOBODY: &str = "nobody";
