//! Writers that stop in the middle.

use super::*;
use hooklog_schemas::EventId;

const LEASE: Duration = Duration::from_secs(1);

/// A writer with a lease of a second, on tables that are there.
async fn writer(config: &ProjectConfig) -> PostgresStore {
    let mut store = PostgresStore::new(config).unwrap();
    store.acquire("the first", LEASE).await.unwrap();
    let start = Checkpoint::start(EventId(Uuid::nil()));
    store.create(&start).await.unwrap();
    store
}

#[tokio::test]
async fn a_writer_that_stops_in_a_transaction_does_not_keep_its_successor_out() {
    let mut config = made().await;
    config.lease_ms = 1_000;
    let first = writer(&config).await;
    let mut connection = first.connector.connect().await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    lease::fence(&mut tx, first.lease.as_ref()).await.unwrap();
    // Nothing is heard of it any more; the row of its lease is locked.
    let begun = std::time::Instant::now();
    let mut second = PostgresStore::new(&config).unwrap();
    while second.acquire("the second", LEASE).await.is_err() {
        assert!(begun.elapsed() < LEASE * 20, "the lease does not pass");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Then it goes on.
    let committed = tx.commit().await;
    assert!(committed.is_err(), "it was not ended");
    second.renew().await.unwrap();
}

#[tokio::test]
async fn a_rebuild_keeps_its_lease_while_indexes_take_longer_than_it_lasts() {
    let config = made().await;
    let live = writer(&config).await;
    let start = Checkpoint::start(EventId(Uuid::nil()));
    let holder = |writer| Holder {
        writer,
        lease: LEASE,
    };
    let wanted = build::Wanted::New(&PROJECTIONS, &start);
    let mut built = build::open(&live, wanted, holder("the first"))
        .await
        .unwrap();
    // Somebody reads a table that is built, so its indexes have to wait.
    let mut reader = connected(&config).await;
    let mut tx = reader.begin().await.unwrap();
    let table = built.names.all().next().unwrap();
    let lock = format!("LOCK TABLE {table} IN ROW EXCLUSIVE MODE");
    let locked = sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *tx).await;
    locked.unwrap();
    let set = built.set.clone();
    let reopened = |writer| build::open(&live, build::Wanted::Set(&set), holder(writer));
    let (finished, ()) = tokio::join!(built.finish(), async {
        let begun = std::time::Instant::now();
        while begun.elapsed() < LEASE * 2 {
            let refused = reopened("the second").await;
            assert!(matches!(refused.err(), Some(StoreError::Held { .. })));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tx.rollback().await.unwrap();
    });
    finished.unwrap();
    built.release().await.unwrap();
    reopened("the second").await.unwrap();
    let late = built.renew().await;
    assert!(matches!(late, Err(StoreError::Superseded { .. })));
}
