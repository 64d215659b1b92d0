//! What every store of tables does, whatever it is made of. Each runs all of it:
//! `conformance::suite!(make)`, where `make().await` gives a fresh, empty [`Place`].

pub(crate) mod builds;
pub(crate) mod leases;
pub(crate) mod rows;

use super::store::{Advance, ProjectionStore, StoreError};
use crate::query::Tables;
use async_trait::async_trait;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::counts;
use hooklog_projections::folding::{Changes, TableChanges};
use hooklog_projections::table::{Row, Table, Value};
use hooklog_schemas::{EventId, Offset, Partition, Position, Topic};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Makes a test of every behaviour.
macro_rules! suite {
    ($make:path) => {
        $crate::project::conformance::suite!($make =>
            rows:
                a_fresh_store_holds_nothing_and_then_its_start,
                rows_come_back_as_they_were_written,
                of_two_rows_with_one_key_the_later_counts,
                rows_that_are_called_new_and_are_not_replace_others_all_the_same,
                new_rows_and_others_of_one_table_come_together,
                texts_come_back_and_are_ordered_byte_by_byte,
                a_name_that_nobody_gives_stops_no_store;
            leases:
                who_has_no_lease_writes_nothing,
                a_writer_that_was_superseded_writes_nothing,
                a_lease_passes_when_it_is_given_back,
                a_lease_is_kept_by_writes_and_renewals_and_passes_when_it_ends,
                a_write_that_does_not_continue_where_the_tables_are_is_refused,
                of_two_that_write_in_turn_only_the_last_to_acquire_does;
            builds:
                a_build_is_seen_by_nobody_until_it_is_switched_to,
                a_build_of_one_projection_leaves_the_others,
                a_set_that_is_elsewhere_is_not_switched_to,
                a_writer_that_was_superseded_does_not_switch,
                two_builds_do_not_meet_and_the_live_tables_are_written_beside,
                a_build_goes_on_where_it_was,
                what_was_replaced_is_kept_and_can_be_switched_back_to,
                a_set_that_is_dropped_is_gone,
                a_frozen_set_stays_as_it_is,
                who_reads_while_tables_are_switched_reads_on;
        );
    };
    ($make:path => $($part:ident: $($name:ident),*;)*) => {
        $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let place = $make().await;
            $crate::project::conformance::$part::$name(place.as_ref()).await;
        })*)*
    };
}
pub(crate) use suite;

/// Where tables under test are.
#[async_trait]
pub(crate) trait Place: Send + Sync {
    /// One more writer of the tables.
    async fn open(&self) -> Box<dyn ProjectionStore>;

    /// The tables for who reads.
    fn tables(&self) -> Arc<dyn Tables>;

    /// Whether a lease keeps others away until it ends.
    fn keeps_leases(&self) -> bool;

    /// Makes the live tables, which are those that `create` or a first rebuild made, what another
    /// release would have left.
    async fn age(&self, how: Aged);
}

/// What another release would have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aged {
    /// Tables of version 1 of a projection that has version 2.
    VersionOne(&'static VersionOne),
    /// No tables of `counts`.
    WithoutCounts,
    /// Tables of `counts` that are said to be of version 99.
    CountsOfVersion99,
}

/// The tables of a projection in version 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct VersionOne {
    /// The projection.
    pub(crate) projection: &'static str,
    /// Its tables then, each with a column that came later.
    pub(crate) tables: &'static [(&'static str, Option<&'static str>)],
    /// A table that came later.
    pub(crate) later: Option<&'static str>,
}

/// `deliveries` before it told when the first attempt began.
pub(crate) const DELIVERIES_V1: VersionOne = VersionOne {
    projection: "deliveries",
    tables: &[
        ("deliveries", Some("first_attempt_at")),
        ("transitions", None),
    ],
    later: None,
};

/// `replays` before it had steps.
pub(crate) const REPLAYS_V1: VersionOne = VersionOne {
    projection: "replays",
    tables: &[
        ("replays", None),
        ("replay_changes", None),
        ("replay_progress", Some("changed_offset")),
    ],
    later: Some("replay_steps"),
};

impl VersionOne {
    /// The names of the tables, separated by spaces.
    pub(crate) fn names(&self, suffix: &str) -> String {
        let name = |(table, _): &(&str, _)| format!("{table}_v1{suffix}");
        let names: Vec<_> = self.tables.iter().map(name).collect();
        names.join(" ")
    }

    fn sql(&self, suffix: &str) -> String {
        let mut sql = String::new();
        for (table, later) in self.tables {
            sql += &format!("ALTER TABLE {table}_v2{suffix} RENAME TO {table}_v1{suffix};");
            if let Some(column) = later {
                sql += &format!("ALTER TABLE {table}_v1{suffix} DROP COLUMN {column};");
            }
        }
        if let Some(table) = self.later {
            sql += &format!("DROP TABLE {table}_v2{suffix};");
        }
        let (names, projection) = (self.names(suffix), self.projection);
        sql + &format!(
            "UPDATE active SET version = 1, tables = '{names}' WHERE projection = '{projection}';"
        )
    }
}

impl Aged {
    /// The statements for stores that speak SQL; `suffix` is that of the live tables.
    pub(crate) fn sql(self, suffix: &str) -> String {
        match self {
            Self::VersionOne(older) => older.sql(suffix),
            Self::WithoutCounts => format!(
                "DROP TABLE counts_v2{suffix}; DELETE FROM active WHERE projection = 'counts';"
            ),
            Self::CountsOfVersion99 => {
                "UPDATE active SET version = 99 WHERE projection = 'counts';".to_owned()
            }
        }
    }
}

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);

/// Short, and longer than a few writes.
const SHORT: Duration = Duration::from_millis(400);

/// The table that most of these tests write.
const COUNTS: &Table = &counts::TABLE;

/// The checkpoint at `offset` of the first partition.
fn at(offset: u64) -> Checkpoint {
    let mut checkpoint = Checkpoint::start(EventId(Uuid::from_u128(7)));
    if offset > 0 {
        let partition = Partition(0);
        checkpoint.read_up_to(Position::new(Topic::Deliveries, partition, Offset(offset)));
    }
    checkpoint
}

/// A row of [`COUNTS`]; all its sums are `sum`.
fn row(partition: i64, source: &str, sum: i64) -> Row {
    let mut row = vec![
        Value::Int(partition),
        Value::Int(i64::MIN),
        Value::Int(i64::MIN),
        Value::text(source),
    ];
    row.extend([sum; 5].map(Value::Int));
    row
}

fn put(table: &'static Table, put: Vec<Row>) -> Changes {
    let delete = Vec::new();
    let tables = vec![TableChanges {
        table,
        put,
        new: false,
        delete,
    }];
    Changes { tables }
}

/// A writer of fresh tables, with the lease.
async fn created(place: &dyn Place) -> Box<dyn ProjectionStore> {
    let mut store = place.open().await;
    store.acquire("the first", LONG).await.unwrap();
    store.create(&at(0)).await.unwrap();
    store
}

/// Another writer, which has superseded `before`.
async fn successor(
    place: &dyn Place,
    before: &mut dyn ProjectionStore,
) -> Box<dyn ProjectionStore> {
    let mut store = place.open().await;
    if place.keeps_leases() {
        // As if it had not been heard of for long.
        before.acquire("the first", Duration::ZERO).await.unwrap();
    }
    store.acquire("the second", LONG).await.unwrap();
    store
}

/// Writes one row, from one checkpoint to another.
async fn write(
    store: &mut dyn ProjectionStore,
    sum: i64,
    from: u64,
    to: u64,
) -> Result<(), StoreError> {
    let (from, to) = (at(from), at(to));
    let advance = Advance {
        from: &from,
        to: &to,
    };
    store
        .write(put(COUNTS, vec![row(0, "a", sum)]), advance)
        .await
}

async fn rows_of(store: &mut dyn ProjectionStore) -> Vec<Row> {
    store.scan(COUNTS, None, 10_000).await.unwrap()
}
