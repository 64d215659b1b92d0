//! Rebuilt equals live, whatever the batches, the order of partitions, and the crashes between.

pub(crate) mod history;
mod rebuilding;
mod running;
#[cfg(any(feature = "store-mongodb", feature = "store-postgres"))]
mod standby;
mod watched;

use super::conformance::Place;
use super::*;
use crate::clock;
use crate::config::ProjectConfig;
use crate::log::EventLog;
use crate::log::memory::MemoryLog;
use crate::metrics::Metrics;
use history::History;
use hooklog_projections::checkpoint::Checkpoint;
use hooklog_projections::folding::{Changes, Wanted};
use hooklog_projections::projection::Projection;
use hooklog_projections::table::{Row, Table, Value};
use hooklog_schemas::control::{By, FormatRaised};
use hooklog_schemas::{Append, Event, EventType, FORMAT, Partition, Position, Timestamp, Topic};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use watched::{Watch, Watched};

const PARTITIONS: u32 = 3;

pub(crate) async fn log_of(appends: &[(Topic, Append)]) -> Arc<dyn EventLog> {
    let log = MemoryLog::new(PARTITIONS);
    for (topic, append) in appends {
        log.append(*topic, vec![append.clone()]).await.unwrap();
    }
    Arc::new(log)
}

/// Makes a test of every sentence, on each of these stores: a function that takes an `On`.
macro_rules! on_stores {
    ($store:ident $(, $more:ident)*; $($name:ident),* $(,)?) => {
        $crate::project::tests::on_stores!(@ $store [$($name)*]);
        $crate::project::tests::on_stores!($($more),*; $($name),*);
    };
    (; $($name:ident),*) => {};
    (@ Sqlite $names:tt) => {
        $crate::project::tests::on_stores!(@ on_sqlite Sqlite $names);
    };
    (@ Postgres $names:tt) => {
        #[cfg(feature = "store-postgres")]
        $crate::project::tests::on_stores!(@ on_postgres Postgres $names);
    };
    (@ Mongodb $names:tt) => {
        #[cfg(feature = "store-mongodb")]
        $crate::project::tests::on_stores!(@ on_mongodb Mongodb $names);
    };
    (@ $module:ident $store:ident [$($name:ident)*]) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::On::$store).await;
            })*
        }
    };
}
pub(crate) use on_stores;

/// What keeps the tables of a test.
#[derive(Clone, Copy, Debug)]
pub(crate) enum On {
    Sqlite,
    #[cfg(feature = "store-postgres")]
    Postgres,
    #[cfg(feature = "store-mongodb")]
    Mongodb,
}

impl On {
    /// Histories that one test goes through: as many as take seconds.
    const fn seeds(self) -> std::ops::RangeInclusive<u64> {
        match self {
            Self::Sqlite => 1..=6,
            #[cfg(feature = "store-postgres")]
            Self::Postgres => 1..=2,
            #[cfg(feature = "store-mongodb")]
            Self::Mongodb => 1..=1,
        }
    }
}

impl On {
    /// As many events as take seconds, where the quickest store takes `most` of them.
    const fn events(self, most: usize) -> usize {
        match self {
            Self::Sqlite => most,
            #[cfg(feature = "store-postgres")]
            Self::Postgres => most,
            #[cfg(feature = "store-mongodb")]
            Self::Mongodb => most / 6,
        }
    }

    /// Of many things that are alike a test tries every so many.
    const fn every(self) -> usize {
        match self {
            Self::Sqlite => 1,
            #[cfg(feature = "store-postgres")]
            Self::Postgres => 1,
            #[cfg(feature = "store-mongodb")]
            Self::Mongodb => 3,
        }
    }

    /// In which a store does as much as the quickest one in `least`.
    fn time(self, least: Duration) -> Duration {
        match self {
            Self::Sqlite => least,
            #[cfg(feature = "store-postgres")]
            Self::Postgres => least,
            #[cfg(feature = "store-mongodb")]
            Self::Mongodb => least * 8,
        }
    }
}

/// A fresh place for tables.
pub(crate) async fn place(on: On) -> Arc<dyn Place> {
    match on {
        On::Sqlite => super::stores::sqlite::tests::place().await,
        #[cfg(feature = "store-postgres")]
        On::Postgres => super::stores::postgres::tests::place().await,
        #[cfg(feature = "store-mongodb")]
        On::Mongodb => super::stores::mongodb::tests::place().await,
    }
}

fn parts(log: &Arc<dyn EventLog>, store: Box<dyn ProjectionStore>, batch: usize) -> ProjectorParts {
    ProjectorParts {
        log: Arc::clone(log),
        store,
        metrics: Metrics::register(&mut Default::default()),
        config: ProjectConfig {
            batch_events_max: batch,
            batch_wait_ms: 0,
            ..ProjectConfig::default()
        },
        writer: "a test".to_owned(),
    }
}

pub(crate) async fn catch_up(log: &Arc<dyn EventLog>, place: &dyn Place, batch: usize) {
    let store = place.open().await;
    let mut projector = Projector::open(parts(log, store, batch)).await.unwrap();
    projector.catch_up().await.unwrap();
}

pub(crate) async fn rebuild_at(log: &Arc<dyn EventLog>, place: &dyn Place, names: &[&str]) {
    let store = place.open().await;
    rebuild(parts(log, store, 1_000), &of(names), |_| {})
        .await
        .unwrap();
}

/// What the tables of `log` hold, by a rebuild into the quickest store.
async fn rebuilt(log: &Arc<dyn EventLog>) -> String {
    let fresh = place(On::Sqlite).await;
    rebuild_at(log, fresh.as_ref(), &[]).await;
    dump_of(fresh.as_ref()).await
}

/// The order to rebuild these.
fn of(names: &[&str]) -> Order {
    Order {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Order::default()
    }
}

async fn dump_of(place: &dyn Place) -> String {
    let mut store = place.open().await;
    let mut text = String::new();
    dump(store.as_mut(), |piece| text.push_str(piece))
        .await
        .unwrap();
    text
}

on_stores!(
    Sqlite, Postgres, Mongodb;
    rebuilt_equals_live_whatever_the_batches_and_the_order_of_partitions,
    a_projector_that_starts_again_between_batches_goes_on_where_it_was,
    each_projection_can_be_rebuilt_alone_and_stays_the_same,
    a_rebuild_after_compaction_equals_the_tables_that_lived,
    writing_the_same_twice_is_writing_it_once,
    hashes_of_equal_tables_are_equal,
);

async fn tails(log: &Arc<dyn EventLog>) -> Vec<Position> {
    let mut tails = Vec::new();
    for (topic, partition) in feed::partitions(log.as_ref()) {
        let tail = log.bounds(topic, partition).await.unwrap().tail;
        tails.push(Position::new(topic, partition, tail));
    }
    tails
}

/// The same records with the partitions one after the other, instead of in turn.
fn sorted(appends: &[(Topic, Append)]) -> Vec<(Topic, Append)> {
    let mut by_partition: BTreeMap<(Topic, Partition), Vec<_>> = BTreeMap::new();
    for (topic, append) in appends {
        let key = (*topic, append.partition);
        by_partition.entry(key).or_default().push(append.clone());
    }
    let flat = |((topic, _), appends): ((Topic, Partition), Vec<Append>)| {
        appends.into_iter().map(move |append| (topic, append))
    };
    by_partition.into_iter().flat_map(flat).collect()
}

async fn rebuilt_equals_live_whatever_the_batches_and_the_order_of_partitions(on: On) {
    for seed in on.seeds() {
        println!("seed {seed}");
        let mut history = History::begin(seed, PARTITIONS);
        history.write(on.events(1_500));
        let log = log_of(&history.appends).await;
        let live = place(on).await;
        catch_up(&log, live.as_ref(), 4_000).await;
        let expected = dump_of(live.as_ref()).await;
        let lines = expected.lines().count();
        assert!(lines > on.events(1_500), "the history is too thin");
        assert_eq!(expected, rebuilt(&log).await);

        let small = place(on).await;
        catch_up(&log, small.as_ref(), 17 * seed as usize).await;
        assert_eq!(dump_of(small.as_ref()).await, expected);

        let fresh = place(on).await;
        rebuild_at(&log, fresh.as_ref(), &[]).await;
        assert_eq!(dump_of(fresh.as_ref()).await, expected);

        let other = log_of(&sorted(&history.appends)).await;
        let ordered = place(on).await;
        catch_up(&other, ordered.as_ref(), 100).await;
        assert_eq!(dump_of(ordered.as_ref()).await, expected);
    }
}

async fn a_projector_that_starts_again_between_batches_goes_on_where_it_was(on: On) {
    for seed in on.seeds().take(3).map(|seed| seed + 9) {
        println!("seed {seed}");
        let mut history = History::begin(seed, PARTITIONS);
        history.write(on.events(900));
        let log = log_of(&history.appends).await;
        let whole = place(on).await;
        catch_up(&log, whole.as_ref(), 4_000).await;

        let tables = place(on).await;
        for end in (100..=history.appends.len()).step_by(on.events(97)) {
            let prefix = log_of(&history.appends[..end]).await;
            catch_up(&prefix, tables.as_ref(), 50).await;
        }
        catch_up(&log, tables.as_ref(), 50).await;
        assert_eq!(
            dump_of(tables.as_ref()).await,
            dump_of(whole.as_ref()).await
        );
    }
}

async fn each_projection_can_be_rebuilt_alone_and_stays_the_same(on: On) {
    let mut history = History::begin(20, PARTITIONS);
    history.write(600);
    let log = log_of(&history.appends[..500]).await;
    let tables = place(on).await;
    catch_up(&log, tables.as_ref(), 1_000).await;
    let longer = log_of(&history.appends).await;
    let whole = place(on).await;
    catch_up(&longer, whole.as_ref(), 1_000).await;
    let expected = dump_of(whole.as_ref()).await;
    for projection in PROJECTIONS.into_iter().step_by(on.every()) {
        rebuild_at(&longer, tables.as_ref(), &[projection.name]).await;
        assert_eq!(
            dump_of(tables.as_ref()).await,
            expected,
            "{}",
            projection.name
        );
    }
}

async fn a_rebuild_after_compaction_equals_the_tables_that_lived(on: On) {
    let mut history = History::begin(30, PARTITIONS);
    history.write(on.events(2_000));
    let log = log_of(&history.appends).await;
    let live = place(on).await;
    catch_up(&log, live.as_ref(), 1_000).await;
    let erased = log.compact(Topic::Deliveries).await.unwrap();
    assert!(erased > 0, "the history has no tombstones");
    let fresh = place(on).await;
    rebuild_at(&log, fresh.as_ref(), &[]).await;
    assert_eq!(dump_of(fresh.as_ref()).await, dump_of(live.as_ref()).await);
}

async fn writing_the_same_twice_is_writing_it_once(on: On) {
    let mut history = History::begin(40, PARTITIONS);
    history.write(400);
    let log = log_of(&history.appends).await;
    let tables = place(on).await;
    catch_up(&log, tables.as_ref(), 1_000).await;
    let expected = dump_of(tables.as_ref()).await;
    catch_up(&log, tables.as_ref(), 1_000).await;
    assert_eq!(dump_of(tables.as_ref()).await, expected);

    let mut store = tables.open().await;
    store.acquire("a test", Duration::ZERO).await.unwrap();
    let stored = store.stored().await.unwrap().unwrap();
    for projection in PROJECTIONS {
        for table in projection.tables {
            let put = store.scan(table, None, 10_000).await.unwrap();
            let delete = Vec::new();
            let tables = vec![hooklog_projections::folding::TableChanges {
                table,
                put,
                new: false,
                delete,
            }];
            let changes = Changes { tables };
            let here = &stored.checkpoint;
            let advance = Advance {
                from: here,
                to: here,
            };
            store.write(changes, advance).await.unwrap();
        }
    }
    assert_eq!(dump_of(tables.as_ref()).await, expected);
    assert_eq!(store.stored().await.unwrap().unwrap(), stored);
}

async fn hashes_of_equal_tables_are_equal(on: On) {
    let mut history = History::begin(56, PARTITIONS);
    history.write(100);
    let log = log_of(&history.appends).await;
    let a = place(on).await;
    let b = place(on).await;
    catch_up(&log, a.as_ref(), 1_000).await;
    catch_up(&log, b.as_ref(), 7).await;
    let mut hashes = Vec::new();
    for tables in [&a, &b] {
        let mut store = tables.open().await;
        hashes.push(hash(store.as_mut()).await.unwrap());
    }
    assert_eq!(hashes[0], hashes[1]);
}
