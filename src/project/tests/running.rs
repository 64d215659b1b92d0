//! Projectors that run, stop, fail and refuse.

use super::*;
use crate::log::{AppendError, Bounds, ReadError, ReadLimit};
use hooklog_schemas::{Offset, Record};
use std::sync::atomic::{AtomicBool, Ordering};

on_stores!(
    Sqlite, Postgres, Mongodb;
    tables_of_another_log_are_refused_and_a_rebuild_replaces_them,
    a_checkpoint_beyond_the_end_of_the_log_is_refused,
    an_empty_log_and_an_unknown_name_are_told,
    an_unknown_event_stops_the_projector_and_says_where,
    a_format_that_it_does_not_read_stops_the_projector,
    a_running_projector_follows_and_tells_how_far_it_is,
    a_rebuild_tells_how_far_it_is,
    a_projector_that_is_killed_at_any_moment_loses_and_repeats_nothing,
    a_store_that_fails_now_and_then_ends_with_the_same_tables,
    a_projector_waits_while_the_log_is_away_and_goes_on,
);

async fn tables_of_another_log_are_refused_and_a_rebuild_replaces_them(on: On) {
    let ours = log_of(&History::begin(50, PARTITIONS).appends).await;
    let other = log_of(&History::begin(51, PARTITIONS).appends).await;
    let tables = place(on).await;
    catch_up(&ours, tables.as_ref(), 100).await;
    let store = tables.open().await;
    let refused = Projector::open(parts(&other, store, 100))
        .await
        .err()
        .unwrap();
    assert!(matches!(
        refused,
        ProjectError::Unfit(Unfit::OtherLog { .. })
    ));
    assert!(refused.to_string().contains("hooklog rebuild"), "{refused}");
    rebuild_at(&other, tables.as_ref(), &["counts"]).await;
    let fresh = place(on).await;
    catch_up(&other, fresh.as_ref(), 100).await;
    assert_eq!(
        dump_of(tables.as_ref()).await,
        dump_of(fresh.as_ref()).await
    );
}

async fn a_checkpoint_beyond_the_end_of_the_log_is_refused(on: On) {
    let mut history = History::begin(52, PARTITIONS);
    let start = history.appends.len();
    history.write(50);
    let tables = place(on).await;
    catch_up(&log_of(&history.appends).await, tables.as_ref(), 100).await;
    let shorter = log_of(&history.appends[..start]).await;
    let store = tables.open().await;
    let refused = Projector::open(parts(&shorter, store, 100))
        .await
        .err()
        .unwrap();
    assert!(refused.to_string().contains("the log ends at"), "{refused}");
    assert!(refused.to_string().contains("hooklog rebuild"), "{refused}");
}

async fn an_empty_log_and_an_unknown_name_are_told(on: On) {
    let tables = place(on).await;
    let empty: Arc<dyn EventLog> = Arc::new(MemoryLog::new(PARTITIONS));
    let store = tables.open().await;
    let refused = Projector::open(parts(&empty, store, 1))
        .await
        .err()
        .unwrap();
    assert!(matches!(refused, ProjectError::Empty));
    let store = tables.open().await;
    let refused = rebuild(parts(&empty, store, 1), &of(&["orders"]), |_| {}).await;
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

async fn an_unknown_event_stops_the_projector_and_says_where(on: On) {
    let mut history = History::begin(53, PARTITIONS);
    history.appends.push((Topic::Deliveries, unknown()));
    let log = log_of(&history.appends).await;
    let tables = place(on).await;
    let store = tables.open().await;
    let projector = Projector::open(parts(&log, store, 1_000)).await.unwrap();
    let stopped = projector.run(CancellationToken::new()).await.unwrap_err();
    let told = stopped.to_string();
    assert!(
        told.contains("deliveries/0@1 is delivery.teleported"),
        "{told}"
    );
}

async fn a_format_that_it_does_not_read_stops_the_projector(on: On) {
    let mut history = History::begin(59, PARTITIONS);
    let raised = FormatRaised {
        format: FORMAT + 1,
        by: By {
            actor: "ann".into(),
            from: "local".into(),
            at: Timestamp(0),
            why: None,
        },
    };
    let (event_type, version, value) = Event::from(raised).encode().unwrap();
    let append = Append {
        event_type,
        version,
        value: Some(value),
        ..unknown()
    };
    history.appends.push((Topic::Control, append));
    let log = log_of(&history.appends).await;
    let tables = place(on).await;
    let store = tables.open().await;
    let projector = Projector::open(parts(&log, store, 1_000)).await.unwrap();
    let stopped = projector.run(CancellationToken::new()).await.unwrap_err();
    let told = stopped.to_string();
    assert!(told.contains("run the release that raised it"), "{told}");
}

async fn a_running_projector_follows_and_tells_how_far_it_is(on: On) {
    let mut history = History::begin(54, PARTITIONS);
    let log = log_of(&history.appends).await;
    let tables = place(on).await;
    let store = tables.open().await;
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
    let fresh = place(on).await;
    rebuild_at(&log, fresh.as_ref(), &[]).await;
    assert_eq!(
        dump_of(tables.as_ref()).await,
        dump_of(fresh.as_ref()).await
    );
}

async fn a_rebuild_tells_how_far_it_is(on: On) {
    let mut history = History::calm(55, PARTITIONS);
    history.write(200);
    let log = log_of(&history.appends).await;
    let tables = place(on).await;
    let store = tables.open().await;
    let mut told = Vec::new();
    rebuild(parts(&log, store, 10), &of(&[]), |progress| {
        told.push(progress)
    })
    .await
    .unwrap();
    let last = told.last().unwrap();
    assert_eq!(last.phase, Phase::Switching);
    assert_eq!(last.folded, history.appends.len() as u64);
    assert_eq!(last.total, last.folded);
    assert_eq!(told[0].phase, Phase::Folding);
}

async fn a_projector_that_is_killed_at_any_moment_loses_and_repeats_nothing(on: On) {
    let mut history = History::begin(57, PARTITIONS);
    history.write(on.events(1_500));
    let log = log_of(&history.appends).await;
    let tables = place(on).await;
    for moment in 0..30 {
        let store = tables.open().await;
        let projector = Projector::open(parts(&log, store, 60)).await.unwrap();
        let running = tokio::spawn(projector.run(CancellationToken::new()));
        tokio::time::sleep(on.time(Duration::from_micros(1_700 * moment))).await;
        running.abort();
        let _ = running.await;
    }
    catch_up(&log, tables.as_ref(), 1_000).await;
    assert_eq!(dump_of(tables.as_ref()).await, rebuilt(&log).await);
}

/// A store fails now and then, before or after it has done what was asked.
#[derive(Default)]
struct Flaky {
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
impl Watch for Flaky {
    async fn before_load(&mut self) -> Result<(), StoreError> {
        self.fails(0)
    }
    async fn before_write(&mut self) -> Result<(), StoreError> {
        self.fails(2)
    }
    async fn after_write(&mut self) -> Result<(), StoreError> {
        self.fails(5)
    }
}

async fn a_store_that_fails_now_and_then_ends_with_the_same_tables(on: On) {
    let mut history = History::begin(58, PARTITIONS);
    history.write(on.events(1_500));
    let log = log_of(&history.appends).await;
    let tables = place(on).await;
    let inner = tables.open().await;
    let store = tables.open().await;
    let mut parts = parts(&log, store, 60);
    parts.store = Box::new(Watched {
        inner,
        watch: Flaky::default(),
    });
    let projector = Projector::open(parts).await.unwrap();
    let status = projector.status();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(projector.run(shutdown.clone()));
    assert!(status.reached(&tails(&log).await).await);
    shutdown.cancel();
    running.await.unwrap().unwrap();
    let fresh = place(on).await;
    rebuild_at(&log, fresh.as_ref(), &[]).await;
    assert_eq!(
        dump_of(tables.as_ref()).await,
        dump_of(fresh.as_ref()).await
    );
}

/// A log that is away when the test says so.
struct Away {
    log: Arc<dyn EventLog>,
    away: AtomicBool,
}

impl Away {
    fn reached(&self) -> Result<&dyn EventLog, ReadError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(ReadError::Unavailable("the brokers are away".to_owned()));
        }
        Ok(self.log.as_ref())
    }
}

#[async_trait::async_trait]
impl EventLog for Away {
    fn partitions(&self, topic: Topic) -> u32 {
        self.log.partitions(topic)
    }
    async fn append(&self, topic: Topic, batch: Vec<Append>) -> Result<Vec<Offset>, AppendError> {
        self.log.append(topic, batch).await
    }
    async fn read(&self, from: Position, limit: ReadLimit) -> Result<Vec<Arc<Record>>, ReadError> {
        self.reached()?.read(from, limit).await
    }
    async fn bounds(&self, topic: Topic, partition: Partition) -> Result<Bounds, ReadError> {
        self.reached()?.bounds(topic, partition).await
    }
    async fn wait(&self, any_of: &[Position]) {
        self.log.wait(any_of).await;
    }
    async fn compact(&self, topic: Topic) -> Result<u64, AppendError> {
        self.log.compact(topic).await
    }
}

async fn a_projector_waits_while_the_log_is_away_and_goes_on(on: On) {
    let mut history = History::begin(60, PARTITIONS);
    let start = history.appends.len();
    let away = Arc::new(Away {
        log: log_of(&history.appends).await,
        away: AtomicBool::new(false),
    });
    let log: Arc<dyn EventLog> = away.clone();
    let tables = place(on).await;
    let store = tables.open().await;
    let projector = Projector::open(parts(&log, store, 60)).await.unwrap();
    let status = projector.status();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(projector.run(shutdown.clone()));
    assert!(status.reached(&tails(&log).await).await);
    away.away.store(true, Ordering::Relaxed);
    history.write(300);
    for (topic, append) in &history.appends[start..] {
        log.append(*topic, vec![append.clone()]).await.unwrap();
    }
    let waits = |standing: &Standing| matches!(standing, Standing::Waits { .. });
    assert!(status.stands(waits).await, "the projector ended");
    let Standing::Waits { reason } = status.standing() else {
        panic!("it does not wait");
    };
    assert!(reason.contains("the brokers are away"), "{reason}");
    away.away.store(false, Ordering::Relaxed);
    assert!(status.reached(&tails(&log).await).await);
    assert!(
        status
            .stands(|standing| *standing == Standing::Writes)
            .await
    );
    shutdown.cancel();
    running.await.unwrap().unwrap();
    let fresh = place(on).await;
    rebuild_at(&log, fresh.as_ref(), &[]).await;
    assert_eq!(
        dump_of(tables.as_ref()).await,
        dump_of(fresh.as_ref()).await
    );
}
