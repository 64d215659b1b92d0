//! What writers leave that stopped, or were superseded, and what of it is removed when.

use super::*;
use hooklog_projections::counts;
use hooklog_projections::folding::TableChanges;
use hooklog_schemas::{EventId, Offset, Partition, Position, Topic};
use mongodb::Collection;
use std::collections::BTreeSet;

const LONG: Duration = Duration::from_secs(600);
const COUNTS: &Table = &counts::TABLE;

fn at(offset: u64) -> Checkpoint {
    let mut checkpoint = Checkpoint::start(EventId(Uuid::nil()));
    let partition = Partition(0);
    checkpoint.read_up_to(Position::new(Topic::Deliveries, partition, Offset(offset)));
    checkpoint
}

fn row(source: &str, sum: i64) -> Row {
    let mut row = vec![
        Value::Int(0),
        Value::Int(0),
        Value::Int(0),
        Value::text(source),
    ];
    row.extend([sum; 5].map(Value::Int));
    row
}

fn changes(put: Vec<Row>, delete: &[&str]) -> Changes {
    let delete = delete
        .iter()
        .map(|source| row(source, 0)[..COUNTS.key].to_vec());
    let tables = vec![TableChanges {
        table: COUNTS,
        put,
        new: false,
        delete: delete.collect(),
    }];
    Changes { tables }
}

async fn created(config: &ProjectConfig) -> MongodbStore {
    let mut store = MongodbStore::new(config);
    store.acquire("the first", LONG).await.unwrap();
    store.create(&at(0)).await.unwrap();
    store
}

/// Another writer, as if nothing had been heard of the one before for long.
async fn successor(config: &ProjectConfig, before: &mut MongodbStore) -> MongodbStore {
    before.acquire("the first", Duration::ZERO).await.unwrap();
    let mut store = MongodbStore::new(config);
    store.acquire("the second", LONG).await.unwrap();
    store
}

async fn write(store: &mut MongodbStore, changes: Changes, from: u64) -> Result<(), StoreError> {
    let (from, to) = (at(from), at(from + 1));
    let advance = Advance {
        from: &from,
        to: &to,
    };
    store.write(changes, advance).await
}

async fn rows_of(store: &mut MongodbStore) -> Vec<Row> {
    store.scan(COUNTS, None, 10_000).await.unwrap()
}

/// Begins a write and brings its rows, and goes no further; tells its number.
async fn half_written(store: &mut MongodbStore, changes: &Changes, from: u64) -> i64 {
    let place = store.place().await.unwrap();
    let lease = store.lease.clone();
    let begun = place.states.advance(|state, now| {
        state.lease(LIVE).fence(lease.as_ref(), now)?;
        state.begin(LIVE, &at(from))
    });
    let (state, number) = begun.await.unwrap();
    bring(store, changes, number, &state).await;
    number
}

/// Brings the rows of the write `number`, which was begun when the state was `state`.
async fn bring(store: &MongodbStore, changes: &Changes, number: i64, state: &State) {
    let database = &store.place.as_ref().unwrap().database;
    let (names, moment) = (state.names(LIVE), state.moment(LIVE).unwrap());
    let brought = write::rows(database, &names, changes, number, &moment.unsettled);
    brought.await.unwrap();
}

async fn collection(store: &mut MongodbStore) -> Collection<Document> {
    let place = store.place().await.unwrap();
    let (collection, _) = store.table(&place, COUNTS).await.unwrap();
    collection
}

/// All versions of rows, as they are in the collection.
async fn versions(store: &mut MongodbStore) -> Vec<Document> {
    let collection = collection(store).await;
    let found = collection.find(doc! {}).await.unwrap();
    found.try_collect().await.unwrap()
}

#[tokio::test]
async fn a_write_that_stopped_before_its_end_never_counts_and_is_replaced_by_its_repetition() {
    let config = config();
    let mut store = created(&config).await;
    write(&mut store, changes(vec![row("a", 1), row("b", 1)], &[]), 0)
        .await
        .unwrap();
    let before = rows_of(&mut store).await;
    let half = changes(vec![row("a", 2), row("c", 2)], &["b"]);
    half_written(&mut store, &half, 1).await;
    assert_eq!(rows_of(&mut store).await, before);

    // The next one starts where the tables are, with other batches.
    let mut next = successor(&config, &mut store).await;
    assert_eq!(next.stored().await.unwrap().unwrap().checkpoint, at(1));
    write(&mut next, changes(vec![row("a", 2)], &["b"]), 1)
        .await
        .unwrap();
    assert_eq!(rows_of(&mut next).await, [row("a", 2)]);
    write(&mut next, changes(vec![row("c", 2)], &[]), 2)
        .await
        .unwrap();
    assert_eq!(rows_of(&mut next).await, [row("a", 2), row("c", 2)]);
    // Of the half write nothing is left: each of its keys was written again.
    let writes: BTreeSet<_> = versions(&mut next)
        .await
        .iter()
        .map(|version| version.get_i64("_from").unwrap())
        .collect();
    assert_eq!(writes, BTreeSet::from([1, 3, 4]));
}

#[tokio::test]
async fn what_a_superseded_writer_still_brings_never_counts() {
    let config = config();
    let mut first = created(&config).await;
    let rows = vec![row("a", 1), row("b", 1), row("c", 1)];
    write(&mut first, changes(rows, &[]), 0).await.unwrap();
    let half = changes(vec![row("a", 2)], &["b"]);
    let number = half_written(&mut first, &half, 1).await;
    let state = first.place().await.unwrap().states.newest().await;
    let state = state.unwrap().unwrap();

    let mut second = successor(&config, &mut first).await;
    write(&mut second, changes(vec![row("a", 3)], &["b"]), 1)
        .await
        .unwrap();
    let expected = [row("a", 3), row("c", 1)];
    assert_eq!(rows_of(&mut second).await, expected);
    // It goes on where it was paused, and brings all of it again and more.
    let rest = changes(vec![row("a", 2), row("d", 2)], &["b", "c"]);
    bring(&first, &rest, number, &state).await;
    assert_eq!(rows_of(&mut second).await, expected);
    let late = write(&mut first, changes(vec![row("a", 2)], &[]), 1).await;
    assert!(matches!(late, Err(StoreError::Superseded { .. })));
    // Who writes next is not kept from it by what it left.
    write(&mut second, changes(vec![row("d", 4)], &["c"]), 2)
        .await
        .unwrap();
    assert_eq!(rows_of(&mut second).await, [row("a", 3), row("d", 4)]);
    let mut snapshot = MongodbTables::new(&config.mongodb)
        .snapshot()
        .await
        .unwrap();
    let select = crate::query::Select::oldest(COUNTS, &["source"]);
    assert_eq!(snapshot.count(&select).await.unwrap(), 2);
}

#[tokio::test]
async fn an_answer_keeps_the_state_that_it_began_with() {
    let config = config();
    let mut store = created(&config).await;
    let rows = vec![row("a", 1), row("b", 1)];
    write(&mut store, changes(rows.clone(), &[]), 0)
        .await
        .unwrap();
    let tables = MongodbTables::new(&config.mongodb);
    let mut snapshot = tables.snapshot().await.unwrap();
    write(
        &mut store,
        changes(vec![row("a", 2), row("c", 2)], &["b"]),
        1,
    )
    .await
    .unwrap();
    let select = crate::query::Select::oldest(COUNTS, &["source"]);
    assert_eq!(snapshot.select(&select).await.unwrap(), rows);
    assert_eq!(snapshot.checkpoint().await.unwrap(), at(1));
    let mut snapshot = tables.snapshot().await.unwrap();
    let now = [row("a", 2), row("c", 2)];
    assert_eq!(snapshot.select(&select).await.unwrap(), now);
}

#[tokio::test]
async fn an_answer_from_what_was_removed_meanwhile_is_none() {
    let config = config();
    let mut store = created(&config).await;
    write(&mut store, changes(vec![row("a", 1)], &[]), 0)
        .await
        .unwrap();
    let tables = MongodbTables::new(&config.mongodb);
    let mut snapshot = tables.snapshot().await.unwrap();
    // As if its clock had stood still for the reader.
    store.forgetting = Forgetting::after(Duration::ZERO, Duration::ZERO);
    write(&mut store, changes(vec![row("a", 2)], &[]), 1)
        .await
        .unwrap();
    let select = crate::query::Select::oldest(COUNTS, &["source"]);
    for told in [
        snapshot.select(&select).await.unwrap_err().to_string(),
        snapshot.count(&select).await.unwrap_err().to_string(),
    ] {
        assert!(told.contains("removed meanwhile"), "{told}");
    }
    let mut snapshot = tables.snapshot().await.unwrap();
    assert_eq!(snapshot.select(&select).await.unwrap(), [row("a", 2)]);
}

#[tokio::test]
async fn what_was_replaced_goes_when_nobody_can_read_it_any_more() {
    let config = config();
    let mut store = created(&config).await;
    for turn in 0..3 {
        let rows = vec![row("a", turn), row("b", turn)];
        write(&mut store, changes(rows, &[]), u64::try_from(turn).unwrap())
            .await
            .unwrap();
    }
    assert_eq!(versions(&mut store).await.len(), 6);
    store.forgetting = Forgetting::after(Duration::ZERO, Duration::ZERO);
    write(&mut store, changes(vec![], &["b"]), 3).await.unwrap();
    assert_eq!(rows_of(&mut store).await, [row("a", 2)]);
    assert_eq!(versions(&mut store).await.len(), 1);
}

#[tokio::test]
async fn what_comes_of_a_write_after_its_leftovers_were_removed_never_counts() {
    let config = config();
    let mut store = created(&config).await;
    let rows = vec![row("a", 1), row("b", 1)];
    write(&mut store, changes(rows, &[]), 0).await.unwrap();
    let half = changes(vec![row("a", 2), row("c", 2)], &["b"]);
    let number = half_written(&mut store, &half, 1).await;
    let place = store.place().await.unwrap();
    let state = place.states.newest().await.unwrap().unwrap();

    store.forgetting = Forgetting::after(Duration::ZERO, Duration::ZERO);
    write(&mut store, changes(vec![row("d", 3)], &[]), 1)
        .await
        .unwrap();
    let expected = [row("a", 1), row("b", 1), row("d", 3)];
    assert_eq!(rows_of(&mut store).await, expected);
    let left = versions(&mut store).await;
    assert!(left.iter().all(|version| !version.contains_key("_until")));
    assert_eq!(left.len(), expected.len(), "{left:?}");

    // All of it comes again, before and after what was replaced is removed.
    for turn in 2..5 {
        bring(&store, &half, number, &state).await;
        write(&mut store, changes(vec![row("d", 3)], &[]), turn)
            .await
            .unwrap();
        assert_eq!(rows_of(&mut store).await, expected);
    }
}

#[tokio::test]
async fn writes_that_fail_one_after_the_other_do_not_pile_up() {
    let config = config();
    let mut store = created(&config).await;
    for turn in 0..12 {
        half_written(&mut store, &changes(vec![row("a", turn)], &[]), 0).await;
    }
    store.forgetting = Forgetting::after(Duration::ZERO, Duration::ZERO);
    write(&mut store, changes(vec![row("b", 1)], &[]), 0)
        .await
        .unwrap();
    let place = store.place().await.unwrap();
    let state = place.states.newest().await.unwrap().unwrap();
    assert_eq!(state.moment(LIVE).unwrap().unsettled.ranges(), 1);
    assert_eq!(versions(&mut store).await.len(), 1);
    assert_eq!(rows_of(&mut store).await, [row("b", 1)]);
}

#[tokio::test]
async fn tables_of_which_no_state_speaks_do_not_count_and_what_people_keep_stays() {
    let config = config();
    let mut store = created(&config).await;
    write(&mut store, changes(vec![row("a", 1)], &[]), 0)
        .await
        .unwrap();
    let place = store.place().await.unwrap();
    let notes = place.database.collection::<Document>("notes");
    notes.insert_one(doc! {"note": "still here"}).await.unwrap();
    let states = place.database.collection::<Document>(states::NAME);
    states.drop().await.unwrap();
    let mut store = created(&config).await;
    write(&mut store, changes(vec![row("b", 1)], &[]), 0)
        .await
        .unwrap();
    assert_eq!(rows_of(&mut store).await, [row("b", 1)]);
    assert_eq!(notes.count_documents(doc! {}).await.unwrap(), 1);
}

#[tokio::test]
async fn tables_that_are_ahead_of_their_state_are_not_written() {
    let config = config();
    let mut first = created(&config).await;
    write(&mut first, changes(vec![row("a", 1)], &[]), 0)
        .await
        .unwrap();
    // What was begun and abandoned is not ahead.
    let half = changes(vec![row("a", 2)], &[]);
    let number = half_written(&mut first, &half, 1).await;
    let state = first.place().await.unwrap().states.newest().await;
    let state = state.unwrap().unwrap();
    let mut second = successor(&config, &mut first).await;
    // Rows of another moment, and then marks of one.
    for half in [changes(vec![row("b", 1)], &[]), changes(vec![], &["a"])] {
        bring(&first, &half, number + 1, &state).await;
        let told = second.acquire("the second", LONG).await.unwrap_err();
        assert!(!told.may_pass(), "{told}");
        let told = told.to_string();
        assert!(told.contains("rows of a later state"), "{told}");
        assert!(told.contains("hooklog rebuild"), "{told}");
        let ahead = doc! {"_id": {"$gte": versions::first_id(number + 1)}};
        let put_right = collection(&mut second).await;
        put_right.delete_many(ahead).await.unwrap();
    }
    // A rebuild replaces them all the same.
    second.take_over("a rebuild", LONG).await.unwrap();
}

#[tokio::test]
async fn who_was_superseded_drops_nothing_that_its_successor_made() {
    let config = config();
    let mut first = created(&config).await;
    let place = first.place().await.unwrap();
    let old = place.states.newest().await.unwrap().unwrap();
    let mut second = successor(&config, &mut first).await;
    let holder = Holder {
        writer: "a builder",
        lease: LONG,
    };
    let build = second.build(&PROJECTIONS, &at(0), holder).await;
    drop(build.unwrap());
    let there = schema::last_named(&place.database).await.unwrap();
    assert_eq!(there, 2);
    // It goes on with what it knew.
    schema::drop_dead(&place.database, old.named(), &old.used())
        .await
        .unwrap();
    let after = schema::last_named(&place.database).await.unwrap();
    assert_eq!(after, there);
    // Who knows that nothing uses them drops all of them.
    schema::drop_dead(&place.database, there, &[])
        .await
        .unwrap();
    assert_eq!(schema::last_named(&place.database).await.unwrap(), 0);
}

#[tokio::test]
async fn a_build_that_stopped_before_its_tables_were_made_goes_on() {
    let config = config();
    let mut live = created(&config).await;
    let place = live.place().await.unwrap();
    let begun = place
        .states
        .advance(|state, now| state.begin_build(&PROJECTIONS, &at(0), now));
    let (_, set) = begun.await.unwrap();
    let holder = Holder {
        writer: "a builder",
        lease: LONG,
    };
    let mut build = live.reopen(&set, holder).await.unwrap();
    let (from, to) = (at(0), at(1));
    let advance = Advance {
        from: &from,
        to: &to,
    };
    let rows = changes(vec![row("a", 1)], &[]);
    build.write(rows, advance).await.unwrap();
    build.finish().await.unwrap();
    live.switch(&set, &at(1)).await.unwrap();
    assert_eq!(rows_of(&mut live).await, [row("a", 1)]);
}

#[tokio::test]
async fn states_that_nobody_looks_at_are_removed() {
    let config = config();
    let mut store = created(&config).await;
    for _ in 0..60 {
        store.renew().await.unwrap();
    }
    let place = store.place().await.unwrap();
    let states = place.database.collection::<Document>(states::NAME);
    assert!(states.count_documents(doc! {}).await.unwrap() < 16);
    assert_eq!(store.stored().await.unwrap().unwrap().checkpoint, at(0));

    // Who went on from one that is gone is told that it is too late.
    let passed = place.states.advance(|state, _| {
        state.number = 1;
        Ok(())
    });
    let told = passed.await.unwrap_err().to_string();
    assert!(told.contains("stood still"), "{told}");
    assert_eq!(store.stored().await.unwrap().unwrap().checkpoint, at(0));
}
