//! New tables beside the old ones, and the switch to them.

use super::{Advance, COUNTS, Place, StoreError, at, created, put, row, rows_of, successor, write};
use crate::query::{Select, Tables};
use hooklog_projections::projection::{PROJECTIONS, Projection};
use hooklog_projections::table::Row;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const ORDER: &[&str] = &["partition", "minute_at", "source"];

async fn read(tables: &dyn Tables) -> Vec<Row> {
    let mut snapshot = tables.snapshot().await.unwrap();
    snapshot
        .select(&Select::oldest(COUNTS, ORDER))
        .await
        .unwrap()
}

fn counts() -> Vec<&'static Projection> {
    let mut all = PROJECTIONS.into_iter();
    all.find(|p| p.name == "counts").into_iter().collect()
}

pub(crate) async fn a_build_is_seen_by_nobody_until_it_is_switched_to(place: &dyn Place) {
    let mut live = created(place).await;
    write(live.as_mut(), 1, 0, 1).await.unwrap();
    let tables = place.tables();
    let mut built = live.build(&PROJECTIONS, &at(0)).await.unwrap();
    write(built.as_mut(), 2, 0, 5).await.unwrap();
    assert_eq!(rows_of(built.as_mut()).await, [row(0, "a", 2)]);
    assert_eq!(rows_of(live.as_mut()).await, [row(0, "a", 1)]);
    assert_eq!(read(tables.as_ref()).await, [row(0, "a", 1)]);
    built.switch(&at(5)).await.unwrap();
    assert_eq!(read(tables.as_ref()).await, [row(0, "a", 2)]);
    let mut snapshot = tables.snapshot().await.unwrap();
    assert_eq!(snapshot.checkpoint().await.unwrap(), at(5));
    // The lease was given back.
    let mut next = place.open().await;
    next.acquire("the next", super::LONG).await.unwrap();
    write(next.as_mut(), 3, 5, 6).await.unwrap();
    assert_eq!(read(tables.as_ref()).await, [row(0, "a", 3)]);
}

pub(crate) async fn a_build_of_one_projection_leaves_the_others(place: &dyn Place) {
    let mut live = created(place).await;
    let fences = &hooklog_projections::partitions::TABLE;
    let kept = hooklog_projections::partitions::Fences::default().row(3);
    let (start, end) = (at(0), at(5));
    let advance = Advance {
        from: &start,
        to: &end,
    };
    let changes = put(fences, vec![kept.clone()]);
    live.write(changes, advance).await.unwrap();
    let mut built = live.build(&counts(), &at(0)).await.unwrap();
    write(built.as_mut(), 2, 0, 5).await.unwrap();
    built.switch(&at(5)).await.unwrap();
    let mut store = place.open().await;
    assert_eq!(rows_of(store.as_mut()).await, [row(0, "a", 2)]);
    assert_eq!(store.scan(fences, None, 9).await.unwrap(), [kept]);
}

pub(crate) async fn a_writer_that_was_superseded_does_not_switch(place: &dyn Place) {
    let mut live = created(place).await;
    write(live.as_mut(), 1, 0, 1).await.unwrap();
    let mut built = live.build(&PROJECTIONS, &at(0)).await.unwrap();
    write(built.as_mut(), 2, 0, 5).await.unwrap();
    let mut second = successor(place, live.as_mut()).await;
    let late = write(built.as_mut(), 3, 5, 6).await;
    assert!(matches!(late, Err(StoreError::Superseded { .. })));
    let refused = built.switch(&at(5)).await;
    assert!(matches!(refused, Err(StoreError::Superseded { .. })));
    let refused = live.build(&PROJECTIONS, &at(0)).await;
    assert!(matches!(refused.err(), Some(StoreError::Superseded { .. })));
    write(second.as_mut(), 4, 1, 2).await.unwrap();
    assert_eq!(read(place.tables().as_ref()).await, [row(0, "a", 4)]);
}

pub(crate) async fn who_reads_while_tables_are_switched_reads_on(place: &dyn Place) {
    let mut live = created(place).await;
    write(live.as_mut(), 1, 0, 1).await.unwrap();
    let tables = place.tables();
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (tables, done) = (Arc::clone(&tables), Arc::clone(&done));
        async move {
            let mut answers = 0;
            while !done.load(Ordering::SeqCst) {
                assert_eq!(read(tables.as_ref()).await.len(), 1);
                answers += 1;
            }
            answers
        }
    });
    for round in 1..=4 {
        let mut snapshot = tables.snapshot().await.unwrap();
        let mut built = live.build(&PROJECTIONS, &at(0)).await.unwrap();
        write(built.as_mut(), round + 1, 0, 1).await.unwrap();
        let end = at(1);
        let (switched, seen) = tokio::join!(built.switch(&end), async {
            let select = Select::oldest(COUNTS, ORDER);
            let seen = snapshot.select(&select).await;
            drop(snapshot);
            seen
        });
        switched.unwrap();
        assert_eq!(seen.unwrap(), [row(0, "a", round)]);
        live = place.open().await;
        live.acquire("the first", super::LONG).await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    assert!(reader.await.unwrap() > 0);
}

pub(crate) async fn a_build_that_was_given_up_is_no_obstacle(place: &dyn Place) {
    let mut live = created(place).await;
    for _ in 0..3 {
        let mut built = live.build(&PROJECTIONS, &at(0)).await.unwrap();
        write(built.as_mut(), 2, 0, 5).await.unwrap();
        drop(built);
    }
    let mut built = live.build(&PROJECTIONS, &at(0)).await.unwrap();
    assert!(rows_of(built.as_mut()).await.is_empty());
    write(built.as_mut(), 3, 0, 5).await.unwrap();
    built.switch(&at(5)).await.unwrap();
    assert_eq!(read(place.tables().as_ref()).await, [row(0, "a", 3)]);
}
