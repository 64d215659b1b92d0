//! Several processes on one server: one writes, the others stand by.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// The process of a store is paused in front of a write, when it is told to, until it goes on.
#[derive(Default)]
struct Gate {
    closed: AtomicBool,
    reached: Notify,
    opened: Notify,
}

#[async_trait::async_trait]
impl Watch for Arc<Gate> {
    async fn before_write(&mut self) -> Result<(), StoreError> {
        if self.closed.swap(false, Ordering::SeqCst) {
            self.reached.notify_one();
            self.opened.notified().await;
        }
        Ok(())
    }
}

on_stores!(
    Postgres, Mongodb;
    a_projector_that_was_paused_past_its_lease_writes_nothing_and_stands_by,
    of_three_projectors_one_writes_and_the_next_takes_over_when_it_stops,
    connections_that_end_at_any_moment_lose_and_repeat_nothing,
    of_two_rebuilds_one_is_at_work_and_the_other_is_told,
    a_rebuild_whose_connections_end_at_any_moment_goes_on,
    dumps_of_all_stores_are_the_same,
);

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

async fn a_projector_that_was_paused_past_its_lease_writes_nothing_and_stands_by(on: On) {
    let mut history = History::begin(70, PARTITIONS);
    history.write(on.events(1_500));
    let log = log_of(&history.appends).await;
    let tables = place(on).await;
    let gate = Arc::new(Gate::default());
    let store = Watched {
        inner: tables.open().await,
        watch: Arc::clone(&gate),
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

async fn of_three_projectors_one_writes_and_the_next_takes_over_when_it_stops(on: On) {
    let mut history = History::begin(71, PARTITIONS);
    history.write(200);
    let log = log_of(&history.appends).await;
    let tables = place(on).await;
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

/// What ends the connections of a writer.
enum Ending {
    /// Somebody ends them all on the server, again and again.
    #[cfg(feature = "store-postgres")]
    Postgres(ProjectConfig),
    /// The way over which they go ends them, after any number of messages.
    #[cfg(feature = "store-mongodb")]
    Mongodb(stores::mongodb::tests::Way),
}

impl Ending {
    /// Fresh tables on a server, and what ends the connections to them.
    async fn on(on: On) -> (Arc<dyn Place>, Self) {
        match on {
            On::Sqlite => panic!("a file has no connections"),
            #[cfg(feature = "store-postgres")]
            On::Postgres => {
                let config = stores::postgres::tests::made().await;
                let tables = stores::postgres::tests::place_in(config.clone());
                (tables, Self::Postgres(config))
            }
            #[cfg(feature = "store-mongodb")]
            On::Mongodb => {
                let (tables, way) = stores::mongodb::tests::place_with_way(72).await;
                (tables, Self::Mongodb(way))
            }
        }
    }

    /// A writer whose connections end.
    async fn writer(&self, tables: &dyn Place) -> Box<dyn ProjectionStore> {
        match self {
            #[cfg(feature = "store-postgres")]
            Self::Postgres(_) => tables.open().await,
            #[cfg(feature = "store-mongodb")]
            Self::Mongodb(way) => way.writer(),
        }
    }

    /// Ends them, if they do not end by themselves; tells how many ended since it was asked last.
    async fn end(&self) -> u64 {
        match self {
            #[cfg(feature = "store-postgres")]
            Self::Postgres(config) => stores::postgres::tests::end_connections(config).await,
            #[cfg(feature = "store-mongodb")]
            Self::Mongodb(way) => way.ended(),
        }
    }
}

async fn connections_that_end_at_any_moment_lose_and_repeat_nothing(on: On) {
    let mut history = History::begin(72, PARTITIONS);
    history.write(on.events(3_000));
    let log = log_of(&history.appends).await;
    let (tables, ending) = Ending::on(on).await;
    let writer = ending.writer(tables.as_ref()).await;
    let (status, stop) = running(&log, writer, "the first").await;
    let ends = tails(&log).await;
    let mut ended = 0;
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
        ended += ending.end().await;
    }
    stop.cancel();
    println!("{ended} connections were ended");
    assert!(ended > 3, "the test is too quick");
    assert_eq!(dump_of(tables.as_ref()).await, rebuilt(&log).await);
}

async fn of_two_rebuilds_one_is_at_work_and_the_other_is_told(on: On) {
    let mut history = History::begin(73, PARTITIONS);
    history.write(300);
    let log = log_of(&history.appends).await;
    let tables = place(on).await;
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

async fn a_rebuild_whose_connections_end_at_any_moment_goes_on(on: On) {
    let mut history = History::begin(74, PARTITIONS);
    history.write(on.events(3_000));
    let log = log_of(&history.appends).await;
    let (tables, ending) = Ending::on(on).await;
    catch_up(&log, tables.as_ref(), 1_000).await;
    let expected = dump_of(tables.as_ref()).await;
    let mut failed = 0;
    for moment in 0_u64.. {
        let calm = moment >= 12 / on.every() as u64;
        let store = match calm {
            true => tables.open().await,
            false => ending.writer(tables.as_ref()).await,
        };
        let parts = parts(&log, store, 1_000);
        let running = tokio::spawn(async move { rebuild(parts, &of(&[]), |_| {}).await });
        if !calm {
            tokio::time::sleep(Duration::from_micros(9_700 * (moment * 7 % 13))).await;
            ending.end().await;
        }
        match running.await.unwrap() {
            Ok(_) if calm => break,
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
async fn dumps_of_all_stores_are_the_same(on: On) {
    for seed in on.seeds().map(|seed| seed + 79) {
        println!("seed {seed}");
        let mut history = History::begin(seed, PARTITIONS);
        history.write(on.events(900));
        let log = log_of(&history.appends).await;
        let other = log_of(&sorted(&history.appends)).await;
        let expected = rebuilt(&log).await;
        let lines = expected.lines().count();
        assert!(lines > on.events(900), "the history is too thin");
        for (log, batch) in [(&log, 4_000), (&log, 37), (&other, 100)] {
            let live = place(on).await;
            catch_up(log, live.as_ref(), batch).await;
            assert_eq!(dump_of(live.as_ref()).await, expected, "{batch}");
        }
        let fresh = place(on).await;
        rebuild_at(&log, fresh.as_ref(), &[]).await;
        assert_eq!(dump_of(fresh.as_ref()).await, expected);
    }
}
