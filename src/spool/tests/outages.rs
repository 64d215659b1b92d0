//! The log is away for a while.

use super::support::{Way, given, number, records, webhook};
use crate::receive::Inlet as _;
use crate::spool::Step;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn what_came_during_an_outage_is_in_the_log_once_the_drain_ended_in_order_with_its_times() {
    let given = given();
    given.put(0..10).await;
    given.way.set(Way::Refuses);
    given.put(10..400).await;
    assert_eq!(given.metrics.spooling.get(), 1);
    assert_eq!(given.spool.depth(), 390);
    assert!(given.spool.note().unwrap().contains("390 wait"));
    given.way.set(Way::Works);
    // New ones queue behind the old ones, although the log would take them.
    given.put(400..500).await;
    given.drain().await;
    given.put(500..510).await;
    let mut count = 0;
    for partition in 0..super::support::PARTITIONS {
        let numbers = given.numbers(partition).await;
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        count += numbers.len();
    }
    assert_eq!(count, 510);
    assert_eq!(given.metrics.spooled.get(), 490);
    assert_eq!(given.metrics.drained.get(), 490);
    assert_eq!(given.metrics.spooling.get(), 0);
    assert_eq!(given.spool.note(), None);
}

#[tokio::test]
async fn an_append_of_unknown_outcome_adds_a_record_with_a_key_of_its_own_and_the_same_event() {
    let given = given();
    given.way.set(Way::Deceives);
    given.put(0..1).await;
    given.way.set(Way::Works);
    given.drain().await;
    let records = records(&given.log).await;
    let [first, second] = &records[..] else {
        panic!("{records:?}");
    };
    assert_eq!(first.event_id, second.event_id);
    assert_ne!(first.key, second.key);
    assert_eq!((number(first), number(second)), (0, 0));
}

#[tokio::test]
async fn only_the_first_webhook_of_an_outage_waits_for_the_log() {
    let given = given();
    given.way.set(Way::Hangs);
    let began = Instant::now();
    given.put(0..1).await;
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(100), "{waited:?}");
    let began = Instant::now();
    given.put(1..20).await;
    let others = began.elapsed() / 19;
    assert!(others < waited / 2, "{others:?}");
}

#[tokio::test]
async fn the_log_gets_half_of_the_time_that_is_left_for_the_answer() {
    let mut given = given();
    given.config.inlet_deadline_ms = 60_000;
    let given = given.restarted();
    given.way.set(Way::Hangs);
    let due = tokio::time::Instant::now() + Duration::from_millis(400);
    let put = tokio::time::timeout_at(due, given.spool.put_by(webhook(0), due)).await;
    put.expect("before the caller gives up").unwrap();
    assert_eq!(given.spool.depth(), 1);
}

#[tokio::test]
async fn a_refused_batch_stays_and_one_webhook_tries_whether_the_log_is_back() {
    let given = given();
    given.way.set(Way::Refuses);
    given.put(0..100).await;
    given.way.set(Way::Deceives);
    let step = given.spool.step().await.unwrap();
    assert!(matches!(step, Step::Refused(_)), "{step:?}");
    assert_eq!(given.spool.depth(), 100);
    given.way.set(Way::Works);
    given.drain().await;
    assert_eq!(records(&given.log).await.len(), 101, "one came twice");
}

#[tokio::test]
async fn the_drain_goes_on_by_itself_and_the_last_one_opens_the_way_again() {
    let given = given();
    given.way.set(Way::Refuses);
    given.put(0..50).await;
    given.way.set(Way::Works);
    given.run_until(50).await;
    assert_eq!(given.spool.note(), None);
    given.put(50..51).await;
    assert_eq!(given.metrics.spooled.get(), 50, "the last one went through");
}

#[tokio::test]
async fn what_was_spooled_drains_after_a_restart_before_what_comes_then() {
    let given = given();
    given.way.set(Way::Refuses);
    given.put(0..300).await;
    given.way.set(Way::Works);
    assert!(matches!(
        given.spool.step().await.unwrap(),
        Step::Drained(1)
    ));
    assert!(matches!(
        given.spool.step().await.unwrap(),
        Step::Drained(4)
    ));
    let given = given.restarted();
    assert_eq!(given.spool.depth(), 295, "what was drained stays drained");
    assert!(given.spool.note().is_some());
    given.put(300..310).await;
    given.drain().await;
    let all = records(&given.log).await;
    let numbers: BTreeSet<u64> = all.iter().map(|record| number(record)).collect();
    assert_eq!((all.len(), numbers.len()), (310, 310));
    for partition in 0..super::support::PARTITIONS {
        assert!(given.numbers(partition).await.is_sorted());
    }
}

#[tokio::test]
async fn a_stop_drains_what_it_can_and_leaves_the_rest_for_the_next_start() {
    for (way, left) in [(Way::Works, 0), (Way::Refuses, 20)] {
        let given = given();
        given.way.set(Way::Refuses);
        given.put(0..20).await;
        given.way.set(way);
        let stop = CancellationToken::new();
        stop.cancel();
        let began = Instant::now();
        let grace = Duration::from_secs(20);
        given.spool.clone().run(stop, grace).await.unwrap();
        assert_eq!(given.spool.depth(), left, "{way:?}");
        assert!(
            began.elapsed() < grace / 2,
            "it does not wait for a log that is away"
        );
    }
}

#[tokio::test]
async fn the_age_of_the_oldest_webhook_is_told() {
    let given = given();
    given.way.set(Way::Refuses);
    given.put(0..2).await;
    given.clock.advance(Duration::from_secs(60));
    let step = given.spool.step().await.unwrap();
    assert!(matches!(step, Step::Refused(_)), "{step:?}");
    assert_eq!(given.metrics.spool_age.get(), 60);
    assert_eq!(given.metrics.spool_depth.get(), 2);
    assert!(given.metrics.spool_bytes.get() > 0);
    given.way.set(Way::Works);
    given.drain().await;
    assert_eq!(given.metrics.spool_age.get(), 0);
}
