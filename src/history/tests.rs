//! Cuts through logs whose writers' clocks differ.

mod world;

use super::*;
use hooklog_schemas::control::{BookmarkCreated, By};
use world::World;

const SEEDS: u64 = 8;
const POINTS: u64 = 15;

#[tokio::test]
async fn a_time_is_the_largest_cut_up_to_it_that_is_closed_over_causes() {
    for seed in 0..SEEDS {
        let world = World::written(seed).await;
        let named = world.named().await;
        let (from, to) = world.times();
        for n in 1..=POINTS {
            let time = Timestamp(from.0 + (to.0 - from.0) * n as i64 / POINTS as i64);
            let point = world.resolve(&PointSpec::Time(time)).await.unwrap();
            let expected = World::closed(&named, world.up_to(time).await);
            assert_eq!(point, expected, "seed {seed}, {time}");
        }
    }
}

#[tokio::test]
async fn a_record_is_in_its_own_point_with_what_it_names() {
    for seed in 0..SEEDS {
        let world = World::written(seed).await;
        let named = world.named().await;
        for position in world.some_positions(POINTS) {
            let spec = PointSpec::Position(position);
            let point = world.resolve(&spec).await.unwrap();
            assert!(point.holds(position), "seed {seed}, {position}");
            let next = position.offset.next();
            assert_eq!(point.end(position.topic, position.partition), next);
            let closed = World::closed(&named, point.clone());
            assert_eq!(closed, point, "seed {seed}, {position}");
        }
    }
}

#[tokio::test]
async fn a_bookmark_means_the_same_point_for_ever() {
    let mut world = World::written(1).await;
    let (_, to) = world.times();
    let point = world.resolve(&PointSpec::Time(to)).await.unwrap();
    let created = BookmarkCreated {
        name: "audit".into(),
        point: point.clone(),
        by: by(),
    };
    world.control(created).await;
    world.go_on(500).await;
    let bookmark = PointSpec::Bookmark("audit".into());
    assert_eq!(world.resolve(&bookmark).await.unwrap(), point);
    let none = world.resolve(&PointSpec::Bookmark("other".into())).await;
    assert!(matches!(none, Err(PointError::NoBookmark(name)) if name == "other"));
}

#[tokio::test]
async fn the_end_is_closed() {
    let world = World::written(2).await;
    let point = end(world.log.as_ref(), &world.configuration).await.unwrap();
    assert_eq!(World::closed(&world.named().await, point.clone()), point);
}

#[tokio::test]
async fn what_the_log_cannot_give_is_an_error_and_never_a_guess() {
    let world = World::written(3).await;
    let (from, _) = world.times();
    let before = world
        .resolve(&PointSpec::Time(Timestamp(from.0 - 1_000_000_000)))
        .await;
    assert!(
        matches!(before, Err(PointError::BeforeTheLog { .. })),
        "{before:?}"
    );
    for (text, why) in [
        ("webhooks/0@99999999", "the partition ends at"),
        ("deliveries/9@0", "has 2 partitions"),
    ] {
        let told = world.resolve(&text.parse().unwrap()).await.unwrap_err();
        assert!(told.to_string().contains(why), "{told}");
    }
}

#[tokio::test]
async fn a_point_of_another_log_or_beyond_the_end_is_refused() {
    let world = World::written(4).await;
    let (id, _) = world.configuration.log.unwrap();
    let log = world.log.as_ref();
    let asked = PointSpec::Bookmark("theirs".into());
    let ours = end(log, &world.configuration).await.unwrap();
    let mut theirs = ours.clone();
    theirs.log = EventId(uuid::Uuid::max());
    let refused = check(log, id, &theirs, &asked).await;
    assert!(matches!(refused, Err(PointError::OtherLog { .. })));
    let mut beyond = ours;
    beyond.deliveries[1] = Offset(1 << 40);
    let refused = check(log, id, &beyond, &asked).await;
    assert!(matches!(refused, Err(PointError::BeyondTheEnd { .. })));
}

#[tokio::test]
async fn whether_erased_bytes_are_gone_changes_no_point() {
    unchanged_by_compaction(World::written(5).await).await;
}

#[tokio::test]
async fn whether_erased_records_are_gone_with_their_places_changes_no_point() {
    for seed in 0..SEEDS {
        unchanged_by_compaction(World::written_with_gaps(seed).await).await;
    }
}

/// As of times, and as of every record near what was erased.
async fn unchanged_by_compaction(world: World) {
    let (from, to) = world.times();
    let times = (1..=POINTS as i64)
        .map(|n| Timestamp(from.0 + (to.0 - from.0) * n / POINTS as i64))
        .map(PointSpec::Time);
    let positions = world.some_positions(4 * POINTS);
    let specs = times.chain(positions.into_iter().map(PointSpec::Position));
    let mut before = Vec::new();
    for spec in specs {
        let point = world.resolve(&spec).await.unwrap();
        before.push((spec, point));
    }
    assert!(world.log.compact(Topic::Webhooks).await.unwrap() > 0);
    for (spec, before) in before {
        let after = world.resolve(&spec).await.unwrap();
        assert_eq!(after, before, "{spec}");
    }
}

#[tokio::test]
async fn a_record_that_was_erased_names_no_point_whether_it_is_gone_or_not() {
    let world = World::written(6).await;
    let erased = world
        .configuration
        .erased
        .within(Partition(0), &(Offset(0)..Offset(u64::MAX)));
    let first = Position::new(Topic::Webhooks, Partition(0), erased[0].offset);
    for compacted in [false, true] {
        for position in [first, world.tombstones[0]] {
            let told = world.resolve(&PointSpec::Position(position)).await;
            let told = told.unwrap_err().to_string();
            assert!(told.contains("it was erased"), "{compacted}: {told}");
        }
        world.log.compact(Topic::Webhooks).await.unwrap();
    }
}

fn by() -> By {
    By {
        actor: "ann".into(),
        from: "local".into(),
        at: Timestamp(1),
        why: None,
    }
}
