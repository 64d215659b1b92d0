//! Rebuilt equals live, whatever the batches, the order of partitions, and the crashes between.

pub(crate) mod history;

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

/// A record of a type that no release knows.
fn unknown() -> Append {
    Append {
        partition: Partition(0),
        event_id: clock::event_id(),
        key: clock::key(),
        event_type: EventType::read("delivery.teleported"),
        version: 1,
        epoch: None,
        at: Timestamp(0),
        headers: Vec::new(),
        value: Some("{}".into()),
    }
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
async fn tables_of_another_log_are_refused_and_a_rebuild_replaces_them() {
    let ours = log_of(&History::begin(50, PARTITIONS).appends).await;
    let other = log_of(&History::begin(51, PARTITIONS).appends).await;
    let (_folder, path) = file();
    catch_up(&ours, &path, 100).await;
    let store = SqliteStore::open(&path).await.unwrap();
    let refused = Projector::open(parts(&other, store, 100))
        .await
        .err()
        .unwrap();
    assert!(matches!(
        refused,
        ProjectError::Unfit(Unfit::OtherLog { .. })
    ));
    assert!(refused.to_string().contains("hooklog rebuild"), "{refused}");
    rebuild_at(&other, &path, &["counts"]).await;
    let (_folder, fresh) = file();
    catch_up(&other, &fresh, 100).await;
    assert_eq!(dump_of(&path).await, dump_of(&fresh).await);
}

#[tokio::test]
async fn a_checkpoint_beyond_the_end_of_the_log_is_refused() {
    let mut history = History::begin(52, PARTITIONS);
    let start = history.appends.len();
    history.write(50);
    let (_folder, path) = file();
    catch_up(&log_of(&history.appends).await, &path, 100).await;
    let shorter = log_of(&history.appends[..start]).await;
    let store = SqliteStore::open(&path).await.unwrap();
    let refused = Projector::open(parts(&shorter, store, 100))
        .await
        .err()
        .unwrap();
    assert!(refused.to_string().contains("the log ends at"), "{refused}");
    assert!(refused.to_string().contains("hooklog rebuild"), "{refused}");
}

#[tokio::test]
async fn an_empty_log_and_an_unknown_name_are_told() {
    let (_folder, path) = file();
    let empty: Arc<dyn EventLog> = Arc::new(MemoryLog::new(PARTITIONS));
    let store = SqliteStore::open(&path).await.unwrap();
    let refused = Projector::open(parts(&empty, store, 1))
        .await
        .err()
        .unwrap();
    assert!(matches!(refused, ProjectError::Empty));
    let store = SqliteStore::open(&path).await.unwrap();
    let refused = rebuild(parts(&empty, store, 1), &["orders".to_owned()], |_| {}).await;
    let told = refused.unwrap_err().to_string();
    assert!(
        told.contains("\"orders\"") && told.contains("dead_letters"),
        "{told}"
    );
}

#[tokio::test]
async fn an_unknown_event_stops_the_projector_and_says_where() {
    let mut history = History::begin(53, PARTITIONS);
    history.appends.push((Topic::Deliveries, unknown()));
    let log = log_of(&history.appends).await;
    let (_folder, path) = file();
    let store = SqliteStore::open(&path).await.unwrap();
    let projector = Projector::open(parts(&log, store, 1_000)).await.unwrap();
    let stopped = projector.run(CancellationToken::new()).await.unwrap_err();
    let told = stopped.to_string();
    assert!(
        told.contains("deliveries/0@1 is delivery.teleported"),
        "{told}"
    );
}

#[tokio::test]
async fn a_running_projector_follows_and_tells_how_far_it_is() {
    let mut history = History::begin(54, PARTITIONS);
    let log = log_of(&history.appends).await;
    let (_folder, path) = file();
    let store = SqliteStore::open(&path).await.unwrap();
    let projector = Projector::open(parts(&log, store, 1_000)).await.unwrap();
    let status = projector.status();
    assert_eq!(status.lag().await.unwrap(), history.appends.len() as u64);
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(projector.run(shutdown.clone()));

    let start = history.appends.len();
    history.write(300);
    for (topic, append) in &history.appends[start..] {
        log.append(*topic, vec![append.clone()]).await.unwrap();
    }
    assert!(status.reached(&tails(&log).await).await);
    assert_eq!(status.lag().await.unwrap(), 0);
    shutdown.cancel();
    running.await.unwrap().unwrap();
    let (_folder, fresh) = file();
    rebuild_at(&log, &fresh, &[]).await;
    assert_eq!(dump_of(&path).await, dump_of(&fresh).await);
}

#[tokio::test]
async fn a_rebuild_tells_how_far_it_is() {
    let mut history = History::calm(55, PARTITIONS);
    history.write(200);
    let log = log_of(&history.appends).await;
    let (_folder, path) = file();
    let store = SqliteStore::open(&path).await.unwrap();
    let mut told = Vec::new();
    rebuild(parts(&log, store, 10), &[], |progress| told.push(progress))
        .await
        .unwrap();
    let last = told.last().unwrap();
    assert!(last.finishing);
    assert_eq!(last.folded, history.appends.len() as u64);
    assert_eq!(last.total, last.folded);
    assert!(!told[0].finishing);
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

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_that_is_killed_at_any_moment_loses_and_repeats_nothing() {
    let mut history = History::begin(57, PARTITIONS);
    history.write(1_500);
    let log = log_of(&history.appends).await;
    let (_folder, path) = file();
    for moment in 0..30 {
        let store = SqliteStore::open(&path).await.unwrap();
        let projector = Projector::open(parts(&log, store, 60)).await.unwrap();
        let running = tokio::spawn(projector.run(CancellationToken::new()));
        tokio::time::sleep(std::time::Duration::from_micros(1_700 * moment)).await;
        running.abort();
        let _ = running.await;
    }
    catch_up(&log, &path, 1_000).await;
    let (_folder, fresh) = file();
    rebuild_at(&log, &fresh, &[]).await;
    assert_eq!(dump_of(&path).await, dump_of(&fresh).await);
}

/// A store that fails now and then, before or after it has done what was asked.
struct Flaky {
    inner: SqliteStore,
    calls: u32,
}

impl Flaky {
    fn fails(&mut self, when: u32) -> Result<(), StoreError> {
        self.calls += 1;
        if self.calls % 6 != when {
            return Ok(());
        }
        Err(StoreError::Failed {
            doing: "being tested",
            reason: "it was asked to".to_owned(),
        })
    }
}

#[async_trait::async_trait]
impl ProjectionStore for Flaky {
    async fn stored(&mut self) -> Result<Option<Stored>, StoreError> {
        self.inner.stored().await
    }
    async fn create(&mut self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.inner.create(checkpoint).await
    }
    async fn load(&mut self, wanted: &Wanted) -> Result<Vec<Row>, StoreError> {
        self.fails(0)?;
        self.inner.load(wanted).await
    }
    async fn write(&mut self, changes: Changes, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.fails(2)?;
        self.inner.write(changes, checkpoint).await?;
        self.fails(5)
    }
    async fn scan(
        &mut self,
        table: &'static Table,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.inner.scan(table, after, limit).await
    }
    async fn build(
        &mut self,
        projections: &[&'static Projection],
    ) -> Result<Box<dyn ProjectionStore>, StoreError> {
        self.inner.build(projections).await
    }
    async fn switch(self: Box<Self>, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        Box::new(self.inner).switch(checkpoint).await
    }
}

#[tokio::test]
async fn a_store_that_fails_now_and_then_ends_with_the_same_tables() {
    let mut history = History::begin(58, PARTITIONS);
    history.write(1_500);
    let log = log_of(&history.appends).await;
    let (_folder, path) = file();
    let inner = SqliteStore::open(&path).await.unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    let mut parts = parts(&log, store, 60);
    parts.store = Box::new(Flaky { inner, calls: 0 });
    let projector = Projector::open(parts).await.unwrap();
    let status = projector.status();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(projector.run(shutdown.clone()));
    assert!(status.reached(&tails(&log).await).await);
    shutdown.cancel();
    running.await.unwrap().unwrap();
    let (_folder, fresh) = file();
    rebuild_at(&log, &fresh, &[]).await;
    assert_eq!(dump_of(&path).await, dump_of(&fresh).await);
}
