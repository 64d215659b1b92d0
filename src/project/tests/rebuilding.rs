//! Rebuilds: interrupted, beside a projector, of another version, and back.

use super::*;
use crate::project::conformance::{Aged, DELIVERIES_V1, REPLAYS_V1};
use crate::query::{Page, Queries};
use hooklog_schemas::{Offset, Point};
use prometheus_client::registry::Registry;

on_stores!(
    Sqlite, Postgres, Mongodb;
    a_rebuild_that_is_stopped_ten_times_equals_the_tables_that_lived,
    a_rebuild_that_is_killed_at_any_moment_loses_and_repeats_nothing,
    a_rebuild_begins_anew_when_it_is_told_to,
    a_schema_changes_and_changes_back_beside_a_projector_and_its_readers,
    what_was_replaced_answers_rightly_after_a_switch_back,
    tables_of_an_earlier_version_are_written_until_new_ones_are_there,
    a_table_that_an_earlier_version_lacks_is_built_and_answers_for_the_past,
    a_projection_that_is_not_there_yet_is_built_beside_the_others,
    tables_of_a_newer_version_are_left_alone_and_told,
    a_difference_between_old_and_new_tables_is_told,
    a_set_that_is_kept_can_be_dropped,
);

/// Rebuilds until it is stopped after some batches.
async fn stopped(log: &Arc<dyn EventLog>, place: &dyn Place, batches: u32) -> Option<Progress> {
    let order = of(&[]);
    let mut left = batches;
    let mut last = None;
    let ended = rebuild(parts(log, place.open().await, 100), &order, |progress| {
        last = Some(progress);
        left = left.saturating_sub(1);
        if left == 0 {
            order.stop.cancel();
        }
    });
    match ended.await {
        Ok(_) => None,
        Err(RebuildError::Stopped { folded, .. }) => {
            assert_eq!(last.unwrap().folded, folded);
            last
        }
        Err(error) => panic!("{error}"),
    }
}

async fn a_rebuild_that_is_stopped_ten_times_equals_the_tables_that_lived(on: On) {
    for seed in on.seeds() {
        println!("seed {seed}");
        let mut history = History::begin(seed, PARTITIONS);
        history.write(2_500);
        let other = log_of(&sorted(&history.appends)).await;
        let log = log_of(&history.appends).await;
        let live = place(on).await;
        catch_up(&log, live.as_ref(), 400).await;
        let expected = dump_of(live.as_ref()).await;
        assert_eq!(expected, rebuilt(&log).await);
        for log in [log, other].into_iter().step_by(on.every()) {
            let mut at = 0;
            for time in 0..10 {
                let progress = stopped(&log, live.as_ref(), 1 + time % 2).await.unwrap();
                assert_eq!(progress.resumed_at, at);
                assert!(progress.folded > at, "it did not go on");
                at = progress.folded;
            }
            rebuild_at(&log, live.as_ref(), &[]).await;
            assert_eq!(dump_of(live.as_ref()).await, expected);
        }
    }
}

async fn a_rebuild_that_is_killed_at_any_moment_loses_and_repeats_nothing(on: On) {
    let mut history = History::begin(90, PARTITIONS);
    history.write(on.events(2_500));
    let log = log_of(&history.appends).await;
    let live = place(on).await;
    catch_up(&log, live.as_ref(), 1_000).await;
    let expected = dump_of(live.as_ref()).await;
    for moment in (0..20).step_by(on.every()) {
        let parts = parts(&log, live.open().await, 100);
        let running = tokio::spawn(async move { rebuild(parts, &of(&[]), |_| {}).await.is_ok() });
        tokio::time::sleep(on.time(Duration::from_micros(2_900 * moment))).await;
        running.abort();
        let _ = running.await;
        assert_eq!(dump_of(live.as_ref()).await, expected, "{moment}");
    }
    rebuild_at(&log, live.as_ref(), &[]).await;
    assert_eq!(dump_of(live.as_ref()).await, expected);
}

async fn a_rebuild_begins_anew_when_it_is_told_to(on: On) {
    let mut history = History::begin(91, PARTITIONS);
    history.write(on.events(1_500));
    let log = log_of(&history.appends).await;
    let live = place(on).await;
    catch_up(&log, live.as_ref(), 1_000).await;
    let before = stopped(&log, live.as_ref(), 2).await.unwrap();
    assert!(before.folded > 0);
    let order = Order {
        restart: true,
        ..of(&[])
    };
    let store = live.open().await;
    let rebuilt = rebuild(parts(&log, store, 100), &order, |_| {}).await;
    assert_eq!(rebuilt.unwrap().progress.resumed_at, 0);
    // What was begun for some projections is not gone on with for others.
    let order = of(&["webhooks"]);
    let store = live.open().await;
    order.stop.cancel();
    let halted = rebuild(parts(&log, store, 100), &order, |_| {}).await;
    assert!(matches!(halted, Err(RebuildError::Stopped { .. })));
    rebuild_at(&log, live.as_ref(), &["counts"]).await;
    let mut store = live.open().await;
    let sets = store.sets().await.unwrap();
    assert!(sets.iter().all(|set| set.kind == SetKind::Kept), "{sets:?}");
}

async fn a_schema_changes_and_changes_back_beside_a_projector_and_its_readers(on: On) {
    let mut history = History::begin(92, PARTITIONS);
    history.write(on.events(1_000));
    let log = log_of(&history.appends).await;
    let live = place(on).await;
    catch_up(&log, live.as_ref(), 1_000).await;
    live.age(Aged::VersionOne(&DELIVERIES_V1)).await;
    let projector = Projector::open(parts(&log, live.open().await, 50))
        .await
        .unwrap();
    let status = projector.status();
    let stop = CancellationToken::new();
    let running = tokio::spawn(projector.run(stop.clone()));
    let reader = tokio::spawn(read_on(live.tables(), stop.clone()));
    assert!(status.stands(|s| *s == Standing::Writes).await);

    let start = history.appends.len();
    history.write(on.events(1_500));
    let writer = tokio::spawn(append_all(
        Arc::clone(&log),
        history.appends[start..].to_vec(),
    ));
    let gently = |names: &[&str]| Order {
        gently: true,
        ..of(names)
    };
    let mut replaced = None;
    for names in [&[][..], &["counts"]] {
        let parts = rebuilding(&log, live.as_ref()).await;
        let rebuilt = rebuild(parts, &gently(names), |_| {}).await.unwrap();
        let same = |c: &Compared| matches!(c.found, Found::Same { .. });
        assert!(rebuilt.compared.iter().all(same), "{rebuilt:?}");
        assert!(!rebuilt.compared.is_empty());
        replaced = replaced.or(rebuilt.kept);
    }
    assert_eq!(version_of_deliveries(live.as_ref()).await, 2);
    let parts = rebuilding(&log, live.as_ref()).await;
    let back = switch_back(parts, replaced.as_deref(), &gently(&[]), |_| {}).await;
    back.unwrap();
    assert_eq!(version_of_deliveries(live.as_ref()).await, 1);
    writer.await.unwrap();
    assert!(status.reached(&tails(&log).await).await);
    stop.cancel();
    running.await.unwrap().unwrap();
    assert!(reader.await.unwrap() > 0);
    let fresh = place(on).await;
    rebuild_at(&log, fresh.as_ref(), &[]).await;
    fresh.age(Aged::VersionOne(&DELIVERIES_V1)).await;
    assert_eq!(dump_of(live.as_ref()).await, dump_of(fresh.as_ref()).await);
}

async fn append_all(log: Arc<dyn EventLog>, appends: Vec<(Topic, Append)>) {
    for (topic, append) in appends {
        log.append(topic, vec![append]).await.unwrap();
        tokio::task::yield_now().await;
    }
}

/// The parts of a rebuild beside a projector.
async fn rebuilding(log: &Arc<dyn EventLog>, place: &dyn Place) -> ProjectorParts {
    let mut parts = parts(log, place.open().await, 50);
    parts.writer = "the rebuild".to_owned();
    parts
}

async fn version_of_deliveries(place: &dyn Place) -> u32 {
    let stored = place.open().await.stored().await.unwrap().unwrap();
    stored.versions["deliveries"]
}

/// Reads until `stop`; every answer must come. Tells how many there were.
async fn read_on(tables: Arc<dyn crate::query::Tables>, stop: CancellationToken) -> u32 {
    use crate::query::Select;
    let mut answers = 0;
    while !stop.is_cancelled() {
        let mut snapshot = tables.snapshot().await.unwrap();
        for projection in PROJECTIONS {
            for table in projection.tables {
                let select = Select::newest(table, &[]).limit(3);
                snapshot.select(&select).await.unwrap();
            }
        }
        snapshot.checkpoint().await.unwrap();
        answers += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    answers
}

async fn what_was_replaced_answers_rightly_after_a_switch_back(on: On) {
    let mut history = History::begin(93, PARTITIONS);
    history.write(on.events(1_500));
    let third = history.appends.len() / 3;
    let tables = place(on).await;
    let first = log_of(&history.appends[..third]).await;
    catch_up(&first, tables.as_ref(), 100).await;
    rebuild_at(&first, tables.as_ref(), &["deliveries"]).await;
    let second = log_of(&history.appends[..2 * third]).await;
    catch_up(&second, tables.as_ref(), 100).await;
    let log = log_of(&history.appends).await;
    let back = switch_back(
        parts(&log, tables.open().await, 100),
        None,
        &of(&[]),
        |_| {},
    )
    .await;
    let back = back.unwrap();
    let fresh = place(on).await;
    rebuild_at(&log, fresh.as_ref(), &[]).await;
    let expected = dump_of(fresh.as_ref()).await;
    assert_eq!(dump_of(tables.as_ref()).await, expected);
    // And forward again, by name.
    let kept = back.kept.unwrap();
    let store = tables.open().await;
    let forward = switch_back(parts(&log, store, 100), Some(&kept), &of(&[]), |_| {}).await;
    forward.unwrap();
    assert_eq!(dump_of(tables.as_ref()).await, expected);
    let store = tables.open().await;
    let unknown = switch_back(parts(&log, store, 1), Some("x"), &of(&[]), |_| {}).await;
    let told = unknown.unwrap_err().to_string();
    assert!(told.contains("projection list"), "{told}");
}

async fn tables_of_an_earlier_version_are_written_until_new_ones_are_there(on: On) {
    let mut history = History::begin(94, PARTITIONS);
    history.write(on.events(1_500));
    let half = history.appends.len() / 2;
    let fresh = place(on).await;
    let log = log_of(&history.appends).await;
    rebuild_at(&log, fresh.as_ref(), &[]).await;
    let expected = dump_of(fresh.as_ref()).await;
    fresh.age(Aged::VersionOne(&DELIVERIES_V1)).await;
    let expected_before = dump_of(fresh.as_ref()).await;
    assert!(
        expected_before.contains("# deliveries v1"),
        "{expected_before}"
    );

    let tables = place(on).await;
    let shorter = log_of(&history.appends[..half]).await;
    catch_up(&shorter, tables.as_ref(), 100).await;
    tables.age(Aged::VersionOne(&DELIVERIES_V1)).await;
    catch_up(&log, tables.as_ref(), 100).await;
    assert_eq!(dump_of(tables.as_ref()).await, expected_before);
    let stop = CancellationToken::new();
    let reader = tokio::spawn(read_on(tables.tables(), stop.clone()));
    let order = of(&["deliveries"]);
    let rebuilt = rebuild(parts(&log, tables.open().await, 100), &order, |_| {}).await;
    let found = |name: &str| {
        let compared = &rebuilt.as_ref().unwrap().compared;
        let found = compared.iter().find(|c| c.projection == name).unwrap();
        found.found.clone()
    };
    let Found::Same { added, rows, .. } = found("deliveries") else {
        panic!("{rebuilt:?}");
    };
    let new = ["deliveries.first_attempt_at", "deliveries.decision_offset"];
    assert_eq!(added, new);
    assert!(rows > 0);
    assert_eq!(dump_of(tables.as_ref()).await, expected);
    let back = switch_back(
        parts(&log, tables.open().await, 100),
        None,
        &of(&[]),
        |_| {},
    )
    .await;
    back.unwrap();
    assert_eq!(dump_of(tables.as_ref()).await, expected_before);
    stop.cancel();
    assert!(reader.await.unwrap() > 0);
}

async fn a_table_that_an_earlier_version_lacks_is_built_and_answers_for_the_past(on: On) {
    let mut history = History::begin(96, PARTITIONS);
    history.write(on.events(2_400));
    let half = history.appends.len() / 2;
    let log = log_of(&history.appends).await;
    let fresh = place(on).await;
    rebuild_at(&log, fresh.as_ref(), &[]).await;
    let expected = dump_of(fresh.as_ref()).await;
    let tables = place(on).await;
    catch_up(
        &log_of(&history.appends[..half]).await,
        tables.as_ref(),
        100,
    )
    .await;
    let point = Arc::new(point_of(tables.as_ref()).await);
    tables.age(Aged::VersionOne(&REPLAYS_V1)).await;
    catch_up(&log, tables.as_ref(), 100).await;

    let now = Queries::new(tables.tables(), Metrics::register(&mut Registry::default()));
    assert!(!now.replays(&Page::first()).await.unwrap().items.is_empty());
    let then = now.at(point);
    let told = then.replays(&Page::first()).await.unwrap_err().to_string();
    assert!(
        told.contains("replays") && told.contains("hooklog rebuild"),
        "{told}"
    );

    let order = of(&["replays"]);
    let rebuilt = rebuild(parts(&log, tables.open().await, 100), &order, |_| {})
        .await
        .unwrap();
    let replays = rebuilt.compared.iter().find(|c| c.projection == "replays");
    let Some(Found::Same { added, .. }) = replays.map(|compared| &compared.found) else {
        panic!("{rebuilt:?}");
    };
    assert_eq!(*added, ["replay_steps", "replay_progress.changed_offset"]);
    assert_eq!(dump_of(tables.as_ref()).await, expected);
    assert!(!then.replays(&Page::first()).await.unwrap().items.is_empty());
}

/// Where these tables are.
async fn point_of(place: &dyn Place) -> Point {
    let stored = place.open().await.stored().await.unwrap().unwrap();
    let end = |topic, partition| stored.checkpoint.next(topic, Partition(partition)).offset;
    Point {
        log: stored.checkpoint.log,
        webhooks: vec![Offset(0); PARTITIONS as usize],
        deliveries: (0..PARTITIONS)
            .map(|number| end(Topic::Deliveries, number))
            .collect(),
        control: end(Topic::Control, 0),
    }
}

async fn a_projection_that_is_not_there_yet_is_built_beside_the_others(on: On) {
    let mut history = History::begin(95, PARTITIONS);
    history.write(800);
    let half = history.appends.len() / 2;
    let tables = place(on).await;
    catch_up(
        &log_of(&history.appends[..half]).await,
        tables.as_ref(),
        100,
    )
    .await;
    tables.age(Aged::WithoutCounts).await;
    let log = log_of(&history.appends).await;
    catch_up(&log, tables.as_ref(), 100).await;
    let asked = tables.tables();
    let mut snapshot = asked.snapshot().await.unwrap();
    let counts = &hooklog_projections::counts::TABLE;
    let select = crate::query::Select::newest(counts, &[]);
    let refused = snapshot.select(&select).await.unwrap_err().to_string();
    assert!(refused.contains("counts are not built yet"), "{refused}");
    drop(snapshot);
    rebuild_at(&log, tables.as_ref(), &["counts"]).await;
    let fresh = place(on).await;
    rebuild_at(&log, fresh.as_ref(), &[]).await;
    assert_eq!(
        dump_of(tables.as_ref()).await,
        dump_of(fresh.as_ref()).await
    );
}

async fn tables_of_a_newer_version_are_left_alone_and_told(on: On) {
    let log = log_of(&History::begin(96, PARTITIONS).appends).await;
    let tables = place(on).await;
    catch_up(&log, tables.as_ref(), 100).await;
    tables.age(Aged::CountsOfVersion99).await;
    let expected = "version 99";
    let refused = Projector::open(parts(&log, tables.open().await, 100)).await;
    let refused = refused.err().unwrap().to_string();
    assert!(
        refused.contains(expected) && refused.contains("switch --back"),
        "{refused}"
    );
    let refused = rebuild(parts(&log, tables.open().await, 100), &of(&[]), |_| {}).await;
    assert!(refused.unwrap_err().to_string().contains(expected));
    let asked = tables.tables();
    let mut snapshot = asked.snapshot().await.unwrap();
    let counts = &hooklog_projections::counts::TABLE;
    let select = crate::query::Select::newest(counts, &[]);
    let refused = snapshot.select(&select).await.unwrap_err().to_string();
    assert!(refused.contains(expected), "{refused}");
}

async fn a_difference_between_old_and_new_tables_is_told(on: On) {
    let mut history = History::begin(97, PARTITIONS);
    history.write(500);
    let log = log_of(&history.appends).await;
    let tables = place(on).await;
    catch_up(&log, tables.as_ref(), 100).await;
    let mut store = tables.open().await;
    store.acquire("a test", Duration::ZERO).await.unwrap();
    let table = &hooklog_projections::counts::TABLE;
    let mut put = store.scan(table, None, 1).await.unwrap();
    put[0][table.place("received").unwrap()] = Value::Int(-7);
    let key = format!("{}\t", put[0][0].as_int().unwrap());
    let here = store.stored().await.unwrap().unwrap().checkpoint;
    let delete = Vec::new();
    let wrong = vec![hooklog_projections::folding::TableChanges {
        table,
        put,
        new: false,
        delete,
    }];
    let advance = Advance {
        from: &here,
        to: &here,
    };
    store
        .write(Changes { tables: wrong }, advance)
        .await
        .unwrap();
    let rebuilt = rebuild(parts(&log, tables.open().await, 100), &of(&[]), |_| {}).await;
    let rebuilt = rebuilt.unwrap();
    for compared in &rebuilt.compared {
        match (&compared.found, compared.projection) {
            (Found::Different { table, key: told }, "counts") => {
                assert_eq!(*table, "counts");
                assert!(told.starts_with(&key), "{told:?}");
            }
            (Found::Same { .. }, projection) if projection != "counts" => {}
            other => panic!("{other:?}"),
        }
    }
    // The log is right.
    let fresh = place(on).await;
    rebuild_at(&log, fresh.as_ref(), &[]).await;
    assert_eq!(
        dump_of(tables.as_ref()).await,
        dump_of(fresh.as_ref()).await
    );
}

async fn a_set_that_is_kept_can_be_dropped(on: On) {
    let mut history = History::begin(98, PARTITIONS);
    history.write(300);
    let log = log_of(&history.appends).await;
    let tables = place(on).await;
    catch_up(&log, tables.as_ref(), 100).await;
    let expected = dump_of(tables.as_ref()).await;
    let rebuilt = rebuild(parts(&log, tables.open().await, 100), &of(&[]), |_| {}).await;
    let kept = rebuilt.unwrap().kept.unwrap();
    let mut store = tables.open().await;
    let config = ProjectConfig::default();
    drop_set(store.as_mut(), &kept, "a test", &config)
        .await
        .unwrap();
    let refused = drop_set(store.as_mut(), &kept, "a test", &config).await;
    assert!(refused.unwrap_err().to_string().contains(&kept));
    let back = switch_back(
        parts(&log, tables.open().await, 100),
        None,
        &of(&[]),
        |_| {},
    )
    .await;
    assert!(matches!(back, Err(RebuildError::NothingKept)));
    assert_eq!(dump_of(tables.as_ref()).await, expected);
}
