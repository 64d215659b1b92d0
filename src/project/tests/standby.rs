//! Several processes on one server: one writes, the others stand by.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// A store whose process is paused in front of a write, when it is told to, until it goes on.
struct Paused {
    inner: Box<dyn ProjectionStore>,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    closed: AtomicBool,
    reached: Notify,
    opened: Notify,
}

#[async_trait::async_trait]
impl ProjectionStore for Paused {
    async fn acquire(&mut self, writer: &str, lease: Duration) -> Result<(), StoreError> {
        self.inner.acquire(writer, lease).await
    }
    async fn take_over(&mut self, writer: &str, lease: Duration) -> Result<(), StoreError> {
        self.inner.take_over(writer, lease).await
    }
    async fn renew(&mut self) -> Result<(), StoreError> {
        self.inner.renew().await
    }
    async fn release(&mut self) -> Result<(), StoreError> {
        self.inner.release().await
    }
    async fn stored(&mut self) -> Result<Option<Stored>, StoreError> {
        self.inner.stored().await
    }
    async fn create(&mut self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.inner.create(checkpoint).await
    }
    async fn load(&mut self, wanted: &Wanted) -> Result<Vec<Row>, StoreError> {
        self.inner.load(wanted).await
    }
    async fn write(&mut self, changes: Changes, advance: Advance<'_>) -> Result<(), StoreError> {
        if self.gate.closed.swap(false, Ordering::SeqCst) {
            self.gate.reached.notify_one();
            self.gate.opened.notified().await;
        }
        self.inner.write(changes, advance).await
    }
    async fn scan(
        &mut self,
        table: &'static Table,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.inner.scan(table, after, limit).await
    }
    async fn freeze(&mut self) -> Result<Option<Box<dyn ProjectionStore>>, StoreError> {
        self.inner.freeze().await
    }
    async fn sets(&mut self) -> Result<Vec<TableSet>, StoreError> {
        self.inner.sets().await
    }
    async fn build(
        &mut self,
        projections: &[&'static Projection],
        checkpoint: &Checkpoint,
        holder: Holder<'_>,
    ) -> Result<Box<dyn ProjectionStore>, StoreError> {
        self.inner.build(projections, checkpoint, holder).await
    }
    async fn reopen(
        &mut self,
        set: &str,
        holder: Holder<'_>,
    ) -> Result<Box<dyn ProjectionStore>, StoreError> {
        self.inner.reopen(set, holder).await
    }
    async fn finish(&mut self) -> Result<(), StoreError> {
        self.inner.finish().await
    }
    async fn switch(&mut self, set: &str, at: &Checkpoint) -> Result<Option<String>, StoreError> {
        self.inner.switch(set, at).await
    }
    async fn drop_set(&mut self, set: &str, holder: Holder<'_>) -> Result<(), StoreError> {
        self.inner.drop_set(set, holder).await
    }
}

/// A projector that runs as `writer`, with a lease of a second.
async fn running(
    log: &Arc<dyn EventLog>,
    store: Box<dyn ProjectionStore>,
    writer: &str,
) -> (Status, CancellationToken) {
    let mut parts = parts(log, store, 40);
    parts.config.lease_ms = 1_000;
    writer.clone_into(&mut parts.writer);
    let projector = Projector::open(parts).await.unwrap();
    let status = projector.status();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move { projector.run(stopped).await.unwrap() });
    (status, stop)
}

fn stands_by(standing: &Standing) -> bool {
    matches!(standing, Standing::StandsBy { .. })
}

fn writes(standing: &Standing) -> bool {
    *standing == Standing::Writes
}

async fn rebuilt(log: &Arc<dyn EventLog>) -> String {
    let fresh = place(On::Sqlite).await;
    rebuild_at(log, fresh.as_ref(), &[]).await;
    dump_of(fresh.as_ref()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_that_was_paused_past_its_lease_writes_nothing_and_stands_by() {
    let mut history = History::begin(70, PARTITIONS);
    history.write(1_500);
    let log = log_of(&history.appends).await;
    let tables = place(On::Postgres).await;
    let gate = Arc::new(Gate::default());
    let store = Paused {
        inner: tables.open().await,
        gate: Arc::clone(&gate),
    };
    gate.closed.store(true, Ordering::SeqCst);
    let (first, _stop) = running(&log, Box::new(store), "the first").await;
    gate.reached.notified().await;
    let (second, stop_second) = running(&log, tables.open().await, "the second").await;
    assert!(second.reached(&tails(&log).await).await);
    let expected = rebuilt(&log).await;
    assert_eq!(dump_of(tables.as_ref()).await, expected);
    // Its write continues from where the tables were long ago.
    gate.opened.notify_one();
    assert!(first.stands(stands_by).await);
    let writer = "the second".to_owned();
    assert_eq!(first.standing(), Standing::StandsBy { writer });
    assert_eq!(dump_of(tables.as_ref()).await, expected);
    // And it takes over when the other stops.
    stop_second.cancel();
    assert!(first.stands(writes).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_projectors_one_writes_and_the_next_takes_over_when_it_stops() {
    let mut history = History::begin(71, PARTITIONS);
    history.write(200);
    let log = log_of(&history.appends).await;
    let tables = place(On::Postgres).await;
    let mut projectors = Vec::new();
    for name in ["one", "two", "three"] {
        projectors.push(running(&log, tables.open().await, name).await);
    }
    for left in [2, 1, 0] {
        let start = history.appends.len();
        history.write(100);
        for (topic, append) in &history.appends[start..] {
            log.append(*topic, vec![append.clone()]).await.unwrap();
        }
        let written = projectors
            .iter()
            .map(|(status, _)| Box::pin(status.stands(writes)));
        let (there, writer, _) = futures_util::future::select_all(written).await;
        assert!(there);
        let others = projectors
            .iter()
            .filter(|(status, _)| writes(&status.standing()));
        assert_eq!(others.count(), 1);
        let (status, stop) = projectors.remove(writer);
        assert!(status.reached(&tails(&log).await).await);
        assert_eq!(dump_of(tables.as_ref()).await, rebuilt(&log).await);
        stop.cancel();
        assert_eq!(projectors.len(), left);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_end_at_any_moment_lose_and_repeat_nothing() {
    let mut history = History::begin(72, PARTITIONS);
    history.write(3_000);
    let log = log_of(&history.appends).await;
    let config = super::super::stores::postgres::tests::made().await;
    let tables = super::super::stores::postgres::tests::place_in(config.clone());
    let (status, stop) = running(&log, tables.open().await, "the first").await;
    let ends = tails(&log).await;
    let mut killed = 0;
    let done = status.reached(&ends);
    tokio::pin!(done);
    for moment in 0.. {
        // More and more time, so that it comes to its end on a slow machine, too.
        let pause = Duration::from_micros(2_300 * (moment * 7 % 31) * (1 + moment / 31));
        tokio::select! {
            there = &mut done => {
                assert!(there);
                break;
            }
            () = tokio::time::sleep(pause) => {}
        }
        killed += super::super::stores::postgres::tests::end_connections(&config).await;
    }
    stop.cancel();
    println!("{killed} connections were ended");
    assert!(killed > 3, "the test is too quick");
    assert_eq!(dump_of(tables.as_ref()).await, rebuilt(&log).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_rebuilds_one_is_at_work_and_the_other_is_told() {
    let mut history = History::begin(73, PARTITIONS);
    history.write(300);
    let log = log_of(&history.appends).await;
    let tables = place(On::Postgres).await;
    catch_up(&log, tables.as_ref(), 100).await;
    let holder = Holder {
        writer: "the first",
        lease: Duration::from_secs(600),
    };
    let start = tables.open().await.stored().await.unwrap().unwrap();
    let mut store = tables.open().await;
    let start = Checkpoint::start(start.checkpoint.log);
    let mut first = store.build(&PROJECTIONS, &start, holder).await.unwrap();
    let mut other = parts(&log, tables.open().await, 1_000);
    other.writer = "the second".to_owned();
    other.config.lease_ms = 100;
    let refused = rebuild(other, &of(&[]), |_| {}).await.unwrap_err();
    assert!(
        matches!(&refused, RebuildError::Running { by } if by == "the first"),
        "{refused}"
    );
    first.release().await.unwrap();
    rebuild_at(&log, tables.as_ref(), &[]).await;
    assert_eq!(dump_of(tables.as_ref()).await, rebuilt(&log).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_whose_connections_end_at_any_moment_goes_on() {
    let mut history = History::begin(74, PARTITIONS);
    history.write(3_000);
    let log = log_of(&history.appends).await;
    let config = super::super::stores::postgres::tests::made().await;
    let tables = super::super::stores::postgres::tests::place_in(config.clone());
    catch_up(&log, tables.as_ref(), 1_000).await;
    let expected = dump_of(tables.as_ref()).await;
    let mut failed = 0;
    for moment in 0_u64.. {
        let parts = parts(&log, tables.open().await, 1_000);
        let running = tokio::spawn(async move { rebuild(parts, &of(&[]), |_| {}).await });
        if moment < 12 {
            tokio::time::sleep(Duration::from_micros(9_700 * (moment * 7 % 13))).await;
            super::super::stores::postgres::tests::end_connections(&config).await;
        }
        match running.await.unwrap() {
            Ok(_) if moment >= 12 => break,
            Ok(_) => {}
            Err(error) => {
                failed += 1;
                println!("{moment}: {error}");
                assert!(failed < 40, "{error}");
            }
        }
        assert_eq!(dump_of(tables.as_ref()).await, expected);
    }
    assert!(failed > 0, "no connection was ended");
    assert_eq!(dump_of(tables.as_ref()).await, expected);
}

/// At the same position the tables are the same, byte for byte, whatever keeps them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dumps_of_all_stores_are_the_same() {
    for seed in 80..83 {
        println!("seed {seed}");
        let mut history = History::begin(seed, PARTITIONS);
        history.write(900);
        let log = log_of(&history.appends).await;
        let other = log_of(&sorted(&history.appends)).await;
        let expected = rebuilt(&log).await;
        assert!(expected.lines().count() > 900, "the history is too thin");
        for (log, batch) in [(&log, 4_000), (&log, 37), (&other, 100)] {
            let live = place(On::Postgres).await;
            catch_up(log, live.as_ref(), batch).await;
            assert_eq!(dump_of(live.as_ref()).await, expected, "{batch}");
        }
        let fresh = place(On::Postgres).await;
        rebuild_at(&log, fresh.as_ref(), &[]).await;
        assert_eq!(dump_of(fresh.as_ref()).await, expected);
    }
}
