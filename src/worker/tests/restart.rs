//! From the log alone: nothing that a worker owes is anywhere else.

use super::subscriber::{Reply, Subscriber};
use super::world::{P0, World, attempts, ended, quick, routed};
use crate::clock::{self, Clock as _};
use crate::worker::SnapshotStore as _;
use crate::worker::WorkerError;
use crate::worker::fold::Fold;
use hooklog_schemas::deliveries::{Acquired, Because, Cancelled};
use hooklog_schemas::{Event, EventId, Offset, Topic};
use std::time::Duration;
use uuid::Uuid;

#[tokio::test]
async fn a_killed_worker_s_successor_continues_the_retries() {
    let world = World::new().await;
    let replies = [Reply::Status(500), Reply::Status(500)];
    let subscriber = Subscriber::start(&replies, Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let first = world.start().await;
    world.receive("g1").await;
    world.until(|events| attempts(events).len() == 1).await;
    first.kill().await;
    world.clock.advance(Duration::from_secs(10));
    let second = world.start().await;
    world.until(|events| attempts(events).len() == 2).await;
    second.kill().await;
    world.clock.advance(Duration::from_secs(10));
    let third = world.start().await;
    let events = world.until(|events| ended(events) == 1).await;
    let numbers: Vec<_> = attempts(&events).iter().map(|a| a.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(routed(&events).len(), 1);
    let acquired = events
        .iter()
        .filter(|e| matches!(e, Event::Acquired(_)))
        .count();
    assert_eq!(acquired, 3);
    third.stop().await.unwrap();
}

#[tokio::test]
async fn what_arrived_while_nobody_worked_is_routed_once() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    for number in 0..300 {
        world.receive(&format!("g{number}")).await;
    }
    let first = world.start().await;
    world.until(|events| ended(events) >= 100).await;
    first.stop().await.unwrap();
    let second = world.start().await;
    let events = world.until(|events| ended(events) == 300).await;
    assert_eq!(routed(&events).len(), 300);
    second.stop().await.unwrap();
    assert_eq!(subscriber.requests().len(), 300);
}

#[tokio::test]
async fn the_decision_of_a_predecessor_that_wakes_up_again_counts_for_nothing() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[Reply::Status(500)], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let first = world.start().await;
    world.receive("g1").await;
    let events = world.until(|events| attempts(events).len() == 1).await;
    first.kill().await;
    let second = world.start().await;
    let attempted = attempts(&events).remove(0);
    let late = Cancelled {
        delivery: attempted.delivery,
        receipt: attempted.receipt,
        subscription: attempted.subscription,
        because: Because::Command(clock::event_id()),
        at: world.clock.now(),
    };
    world.append(late, Some(Offset(0))).await;
    world.clock.advance(Duration::from_secs(1));
    world.until(|events| ended(events) == 1).await;
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_worker_that_was_succeeded_stops() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let running = world.start().await;
    let process = clock::event_id();
    let at = world.clock.now();
    world.append(Acquired { process, at }, None).await;
    world.receive("g1").await;
    assert!(matches!(
        running.ended().await,
        Err(WorkerError::Superseded(0))
    ));
}

#[tokio::test]
async fn a_snapshot_equals_the_fold_from_the_start() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[Reply::Status(200)], Reply::Status(500)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let running = world.start().await;
    for number in 0..10 {
        world.receive(&format!("g{number}")).await;
    }
    world
        .until(|events| routed(events).len() == 10 && attempts(events).len() >= 3)
        .await;
    running.stop().await.unwrap();
    let mut fold = Fold::default();
    for record in world.records(Topic::Deliveries).await {
        fold.apply(&record).unwrap();
    }
    let saved = world.snapshots().get(P0).await.unwrap().unwrap();
    let log = EventId(Uuid::nil());
    assert_eq!(saved.open(log, P0, fold.next).unwrap(), fold);
    let beyond = saved.open(log, P0, Offset(fold.next.0 - 1)).unwrap_err();
    assert!(beyond.to_string().contains("beyond the log's end"));
}

#[tokio::test]
async fn a_log_that_lost_webhooks_which_were_routed_is_refused() {
    let mut world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let first = world.start().await;
    world.receive("g1").await;
    world.receive("g2").await;
    world.until(|events| ended(events) == 2).await;
    first.stop().await.unwrap();
    world.lose_webhooks().await;
    let refused = world.refused().await;
    let WorkerError::Missing { routed, tail, .. } = refused else {
        panic!("{refused}");
    };
    assert_eq!((routed, tail), (Offset(2), Offset(0)));
}
