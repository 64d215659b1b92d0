//! Projectors that run, stop, fail and refuse.

use super::*;

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
