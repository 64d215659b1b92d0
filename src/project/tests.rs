//! Rebuilt equals live, whatever the batches, the order of partitions, and the crashes between.

pub(crate) mod history;
mod running;

use super::stores::sqlite::SqliteStore;
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
use hooklog_schemas::{Append, EventType, Partition, Position, Timestamp, Topic};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const PARTITIONS: u32 = 3;

async fn log_of(appends: &[(Topic, Append)]) -> Arc<dyn EventLog> {
    let log = MemoryLog::new(PARTITIONS);
    for (topic, append) in appends {
        log.append(*topic, vec![append.clone()]).await.unwrap();
    }
    Arc::new(log)
}

fn parts(log: &Arc<dyn EventLog>, store: SqliteStore, batch: usize) -> ProjectorParts {
    ProjectorParts {
        log: Arc::clone(log),
        store: Box::new(store),
        metrics: Metrics::register(&mut Default::default()),
        config: ProjectConfig {
            batch_events_max: batch,
            batch_wait_ms: 0,
        },
    }
}

pub(crate) async fn catch_up(log: &Arc<dyn EventLog>, path: &Path, batch: usize) {
    let store = SqliteStore::open(path).await.unwrap();
    let mut projector = Projector::open(parts(log, store, batch)).await.unwrap();
    projector.catch_up().await.unwrap();
}

pub(crate) async fn rebuild_at(log: &Arc<dyn EventLog>, path: &Path, names: &[&str]) {
    let store = SqliteStore::open(path).await.unwrap();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    rebuild(parts(log, store, 1_000), &names, |_| {})
        .await
        .unwrap();
}

async fn dump_of(path: &Path) -> String {
    let mut store = SqliteStore::open(path).await.unwrap();
    let mut text = String::new();
    dump(&mut store, |piece| text.push_str(piece))
        .await
        .unwrap();
    text
}

async fn tails(log: &Arc<dyn EventLog>) -> Vec<Position> {
    let mut tails = Vec::new();
    for (topic, partition) in feed::partitions(log.as_ref()) {
        let tail = log.bounds(topic, partition).await.unwrap().tail;
        tails.push(Position::new(topic, partition, tail));
    }
    tails
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(super::stores::sqlite::FILE);
    (folder, path)
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

#[tokio::test]
async fn rebuilt_equals_live_whatever_the_batches_and_the_order_of_partitions() {
    for seed in 1..=6 {
        println!("seed {seed}");
        let mut history = History::begin(seed, PARTITIONS);
        history.write(1_500);
        let log = log_of(&history.appends).await;
        let (_folder, live) = file();
        catch_up(&log, &live, 4_000).await;
        let expected = dump_of(&live).await;
        assert!(expected.lines().count() > 1_500, "the history is too thin");

        let (_folder, small) = file();
        catch_up(&log, &small, 17 * seed as usize).await;
        assert_eq!(dump_of(&small).await, expected);

        let (_folder, fresh) = file();
        rebuild_at(&log, &fresh, &[]).await;
        assert_eq!(dump_of(&fresh).await, expected);

        let other = log_of(&sorted(&history.appends)).await;
        let (_folder, ordered) = file();
        catch_up(&other, &ordered, 100).await;
        assert_eq!(dump_of(&ordered).await, expected);
    }
}

#[tokio::test]
async fn a_projector_that_starts_again_between_batches_goes_on_where_it_was() {
    for seed in 10..13 {
        println!("seed {seed}");
        let mut history = History::begin(seed, PARTITIONS);
        history.write(900);
        let log = log_of(&history.appends).await;
        let (_folder, whole) = file();
        catch_up(&log, &whole, 4_000).await;

        let (_folder, path) = file();
        for end in (100..=history.appends.len()).step_by(97) {
            let prefix = log_of(&history.appends[..end]).await;
            catch_up(&prefix, &path, 50).await;
        }
        catch_up(&log, &path, 50).await;
        assert_eq!(dump_of(&path).await, dump_of(&whole).await);
    }
}

#[tokio::test]
async fn each_projection_can_be_rebuilt_alone_and_stays_the_same() {
    let mut history = History::begin(20, PARTITIONS);
    history.write(600);
    let log = log_of(&history.appends[..500]).await;
    let (_folder, path) = file();
    catch_up(&log, &path, 1_000).await;
    let longer = log_of(&history.appends).await;
    let (_folder, whole) = file();
    catch_up(&longer, &whole, 1_000).await;
    let expected = dump_of(&whole).await;
    for projection in PROJECTIONS {
        rebuild_at(&longer, &path, &[projection.name]).await;
        assert_eq!(dump_of(&path).await, expected, "{}", projection.name);
    }
}

#[tokio::test]
async fn a_rebuild_after_compaction_equals_the_tables_that_lived() {
    let mut history = History::begin(30, PARTITIONS);
    history.write(2_000);
    let log = log_of(&history.appends).await;
    let (_folder, live) = file();
    catch_up(&log, &live, 1_000).await;
    let erased = log.compact(Topic::Deliveries).await.unwrap();
    assert!(erased > 0, "the history has no tombstones");
    let (_folder, fresh) = file();
    rebuild_at(&log, &fresh, &[]).await;
    assert_eq!(dump_of(&fresh).await, dump_of(&live).await);
}

#[tokio::test]
async fn writing_the_same_twice_is_writing_it_once() {
    let mut history = History::begin(40, PARTITIONS);
    history.write(400);
    let log = log_of(&history.appends).await;
    let (_folder, path) = file();
    catch_up(&log, &path, 1_000).await;
    let expected = dump_of(&path).await;
    catch_up(&log, &path, 1_000).await;
    assert_eq!(dump_of(&path).await, expected);

    let mut store = SqliteStore::open(&path).await.unwrap();
    let stored = store.stored().await.unwrap().unwrap();
    for projection in PROJECTIONS {
        for table in projection.tables {
            let put = store.scan(table, None, 10_000).await.unwrap();
            let delete = Vec::new();
            let tables = vec![hooklog_projections::folding::TableChanges { table, put, delete }];
            let changes = Changes { tables };
            store.write(changes, &stored.checkpoint).await.unwrap();
        }
    }
    assert_eq!(dump_of(&path).await, expected);
    assert_eq!(store.stored().await.unwrap().unwrap(), stored);
}

#[tokio::test]
async fn hashes_of_equal_tables_are_equal() {
    let mut history = History::begin(56, PARTITIONS);
    history.write(100);
    let log = log_of(&history.appends).await;
    let (_folder, a) = file();
    let (_folder_b, b) = file();
    catch_up(&log, &a, 1_000).await;
    catch_up(&log, &b, 7).await;
    let mut hashes = Vec::new();
    for path in [&a, &b] {
        let mut store = SqliteStore::open(path).await.unwrap();
        hashes.push(hash(&mut store).await.unwrap());
    }
    assert_eq!(hashes[0], hashes[1]);
}
