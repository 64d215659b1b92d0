//! Sets of tables beside the live one, and the switch between them.

use super::{Advance, COUNTS, LONG, Place, StoreError, at, created, put, row, rows_of, write};
use crate::project::store::{Holder, ProjectionStore, SetKind};
use crate::query::{Select, Tables};
use hooklog_projections::projection::{PROJECTIONS, Projection};
use hooklog_projections::table::Row;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const ORDER: &[&str] = &["partition", "minute_at", "source"];

const BUILDER: Holder<'_> = Holder {
    writer: "a builder",
    lease: LONG,
};

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

/// A finished build of all tables with one row, at `offset`; and its name.
async fn built(live: &mut dyn ProjectionStore, sum: i64, offset: u64) -> String {
    let mut build = live.build(&PROJECTIONS, &at(0), BUILDER).await.unwrap();
    write(build.as_mut(), sum, 0, offset).await.unwrap();
    build.finish().await.unwrap();
    build.release().await.unwrap();
    name_of(live, SetKind::Building).await
}

/// The only set of this kind.
async fn name_of(live: &mut dyn ProjectionStore, kind: SetKind) -> String {
    let mut sets = live.sets().await.unwrap();
    sets.retain(|set| set.kind == kind);
    assert_eq!(sets.len(), 1, "{sets:?}");
    sets.remove(0).name
}

pub(crate) async fn a_build_is_seen_by_nobody_until_it_is_switched_to(place: &dyn Place) {
    let mut live = created(place).await;
    write(live.as_mut(), 1, 0, 1).await.unwrap();
    let tables = place.tables();
    let mut build = live.build(&PROJECTIONS, &at(0), BUILDER).await.unwrap();
    write(build.as_mut(), 2, 0, 5).await.unwrap();
    assert_eq!(rows_of(build.as_mut()).await, [row(0, "a", 2)]);
    assert_eq!(rows_of(live.as_mut()).await, [row(0, "a", 1)]);
    assert_eq!(read(tables.as_ref()).await, [row(0, "a", 1)]);
    build.finish().await.unwrap();
    assert_eq!(read(tables.as_ref()).await, [row(0, "a", 1)]);
    let name = name_of(live.as_mut(), SetKind::Building).await;
    live.switch(&name, &at(5)).await.unwrap();
    assert_eq!(read(tables.as_ref()).await, [row(0, "a", 2)]);
    let mut snapshot = tables.snapshot().await.unwrap();
    assert_eq!(snapshot.checkpoint().await.unwrap(), at(5));
    // The writer goes on with what is live now, and so does the next one.
    write(live.as_mut(), 3, 5, 6).await.unwrap();
    assert_eq!(read(tables.as_ref()).await, [row(0, "a", 3)]);
    live.release().await.unwrap();
    let mut next = place.open().await;
    next.acquire("the next", LONG).await.unwrap();
    write(next.as_mut(), 4, 6, 7).await.unwrap();
    assert_eq!(read(tables.as_ref()).await, [row(0, "a", 4)]);
    // What was built is a build no more.
    let late = write(build.as_mut(), 5, 5, 6).await;
    assert!(matches!(late, Err(StoreError::Moved)), "{late:?}");
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
    let mut build = live.build(&counts(), &at(0), BUILDER).await.unwrap();
    write(build.as_mut(), 2, 0, 5).await.unwrap();
    build.finish().await.unwrap();
    let name = name_of(live.as_mut(), SetKind::Building).await;
    live.switch(&name, &at(5)).await.unwrap();
    let mut store = place.open().await;
    assert_eq!(rows_of(store.as_mut()).await, [row(0, "a", 2)]);
    assert_eq!(store.scan(fences, None, 9).await.unwrap(), [kept]);
}

pub(crate) async fn a_set_that_is_elsewhere_is_not_switched_to(place: &dyn Place) {
    let mut live = created(place).await;
    write(live.as_mut(), 1, 0, 7).await.unwrap();
    let mut build = live.build(&counts(), &at(0), BUILDER).await.unwrap();
    write(build.as_mut(), 2, 0, 5).await.unwrap();
    let name = name_of(live.as_mut(), SetKind::Building).await;
    // The build is not where it is said to be; then, the other live tables are elsewhere.
    for offset in [4, 5] {
        let refused = live.switch(&name, &at(offset)).await;
        assert!(matches!(refused, Err(StoreError::Moved)), "{refused:?}");
    }
    let refused = live.switch("nowhere", &at(5)).await;
    assert!(matches!(refused, Err(StoreError::NoSet(_))), "{refused:?}");
    assert_eq!(read(place.tables().as_ref()).await, [row(0, "a", 1)]);
    write(build.as_mut(), 3, 5, 7).await.unwrap();
    live.switch(&name, &at(7)).await.unwrap();
    assert_eq!(read(place.tables().as_ref()).await, [row(0, "a", 3)]);
}

pub(crate) async fn a_writer_that_was_superseded_does_not_switch(place: &dyn Place) {
    let mut live = created(place).await;
    write(live.as_mut(), 1, 0, 1).await.unwrap();
    let name = built(live.as_mut(), 2, 5).await;
    let mut second = place.open().await;
    second.take_over("the second", LONG).await.unwrap();
    let refused = live.switch(&name, &at(5)).await;
    assert!(matches!(refused, Err(StoreError::Superseded { .. })));
    write(second.as_mut(), 4, 1, 2).await.unwrap();
    assert_eq!(read(place.tables().as_ref()).await, [row(0, "a", 4)]);
}

pub(crate) async fn two_builds_do_not_meet_and_the_live_tables_are_written_beside(
    place: &dyn Place,
) {
    let mut live = created(place).await;
    let mut first = live.build(&PROJECTIONS, &at(0), BUILDER).await.unwrap();
    write(live.as_mut(), 1, 0, 1).await.unwrap();
    write(first.as_mut(), 2, 0, 5).await.unwrap();
    let other = Holder {
        writer: "another builder",
        ..BUILDER
    };
    let name = name_of(live.as_mut(), SetKind::Building).await;
    if place.keeps_leases() {
        let refused = live.reopen(&name, other).await.err();
        let told = refused.unwrap().to_string();
        assert!(told.contains("a builder"), "{told}");
        assert!(live.drop_set(&name, other).await.is_err());
        first.release().await.unwrap();
    }
    let mut second = live.reopen(&name, other).await.unwrap();
    let late = write(first.as_mut(), 3, 5, 6).await;
    assert!(matches!(late, Err(StoreError::Superseded { .. })));
    let late = first.finish().await;
    assert!(matches!(late, Err(StoreError::Superseded { .. })));
    write(second.as_mut(), 4, 5, 6).await.unwrap();
    write(live.as_mut(), 5, 1, 2).await.unwrap();
    assert_eq!(rows_of(second.as_mut()).await, [row(0, "a", 4)]);
    assert_eq!(read(place.tables().as_ref()).await, [row(0, "a", 5)]);
}

pub(crate) async fn a_build_goes_on_where_it_was(place: &dyn Place) {
    let mut live = created(place).await;
    let mut build = live.build(&PROJECTIONS, &at(0), BUILDER).await.unwrap();
    write(build.as_mut(), 1, 0, 3).await.unwrap();
    drop(build);
    let mut store = place.open().await;
    let set = store.sets().await.unwrap().remove(0);
    assert_eq!(
        (set.kind, &set.stored.checkpoint),
        (SetKind::Building, &at(3))
    );
    assert_eq!(set.stored.versions.len(), PROJECTIONS.len());
    let mut build = store.reopen(&set.name, BUILDER).await.unwrap();
    assert_eq!(build.stored().await.unwrap().unwrap(), set.stored);
    assert_eq!(rows_of(build.as_mut()).await, [row(0, "a", 1)]);
    let again = write(build.as_mut(), 9, 0, 3).await;
    assert!(matches!(again, Err(StoreError::Moved)));
    write(build.as_mut(), 2, 3, 5).await.unwrap();
    for _ in 0..2 {
        build.finish().await.unwrap();
    }
    live.switch(&set.name, &at(5)).await.unwrap();
    assert_eq!(read(place.tables().as_ref()).await, [row(0, "a", 2)]);
}

pub(crate) async fn what_was_replaced_is_kept_and_can_be_switched_back_to(place: &dyn Place) {
    let mut live = created(place).await;
    write(live.as_mut(), 1, 0, 3).await.unwrap();
    let name = built(live.as_mut(), 2, 5).await;
    let old = live.switch(&name, &at(5)).await.unwrap().unwrap();
    assert_eq!(name_of(live.as_mut(), SetKind::Kept).await, old);
    let set = live.sets().await.unwrap().remove(0);
    assert_eq!(set.stored.checkpoint, at(3));
    // It is brought to where the live tables are, then it answers again.
    let mut kept = live.reopen(&old, BUILDER).await.unwrap();
    assert_eq!(rows_of(kept.as_mut()).await, [row(0, "a", 1)]);
    write(kept.as_mut(), 4, 3, 5).await.unwrap();
    kept.finish().await.unwrap();
    let newer = live.switch(&old, &at(5)).await.unwrap().unwrap();
    assert_eq!(read(place.tables().as_ref()).await, [row(0, "a", 4)]);
    assert_eq!(name_of(live.as_mut(), SetKind::Kept).await, newer);
}

pub(crate) async fn a_set_that_is_dropped_is_gone(place: &dyn Place) {
    let mut live = created(place).await;
    write(live.as_mut(), 1, 0, 3).await.unwrap();
    let name = built(live.as_mut(), 2, 3).await;
    let old = live.switch(&name, &at(3)).await.unwrap().unwrap();
    let left = built(live.as_mut(), 3, 3).await;
    for set in [&old, &left] {
        live.drop_set(set, BUILDER).await.unwrap();
        let gone = live.drop_set(set, BUILDER).await;
        assert!(matches!(gone, Err(StoreError::NoSet(_))), "{gone:?}");
    }
    assert!(live.sets().await.unwrap().is_empty());
    assert_eq!(read(place.tables().as_ref()).await, [row(0, "a", 2)]);
    write(live.as_mut(), 4, 3, 4).await.unwrap();
    // Its names are free again.
    let again = built(live.as_mut(), 5, 4).await;
    live.switch(&again, &at(4)).await.unwrap();
    assert_eq!(read(place.tables().as_ref()).await, [row(0, "a", 5)]);
}

pub(crate) async fn a_frozen_set_stays_as_it_is(place: &dyn Place) {
    let mut live = created(place).await;
    write(live.as_mut(), 1, 0, 3).await.unwrap();
    let Some(mut frozen) = live.freeze().await.unwrap() else {
        return;
    };
    write(live.as_mut(), 2, 3, 4).await.unwrap();
    for _ in 0..2 {
        assert_eq!(rows_of(frozen.as_mut()).await, [row(0, "a", 1)]);
        assert_eq!(frozen.stored().await.unwrap().unwrap().checkpoint, at(3));
    }
    assert_eq!(rows_of(live.as_mut()).await, [row(0, "a", 2)]);
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
        let name = built(live.as_mut(), round + 1, 1).await;
        let end = at(1);
        let (switched, seen) = tokio::join!(live.switch(&name, &end), async {
            let select = Select::oldest(COUNTS, ORDER);
            let seen = snapshot.select(&select).await;
            drop(snapshot);
            seen
        });
        assert_eq!(seen.unwrap(), [row(0, "a", round)]);
        let old = switched.unwrap().unwrap();
        live.drop_set(&old, BUILDER).await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    assert!(reader.await.unwrap() > 0);
}
