//! The same event once more: redelivered, through another hook, or under another name.

use super::subscriber::{Reply, Subscriber};
use super::world::{World, attempts, ended, quick, routed};
use hooklog_schemas::control::Policy;
use hooklog_schemas::deliveries::{MatchOutcome, RepeatKind};
use std::time::Duration;

const BODY: &[u8] = br#"{"a":1}"#;

async fn once_delivered(policy: Policy) -> (World, Subscriber, super::world::Running) {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, policy).await;
    let running = world.start().await;
    world.receive_by("g1", "1", "sha256=aa", BODY).await;
    world.until(|events| ended(events) == 1).await;
    (world, subscriber, running)
}

#[tokio::test]
async fn a_redelivery_of_what_was_delivered_owes_nothing_and_says_so() {
    let (world, subscriber, running) = once_delivered(quick()).await;
    world.receive_by("g1", "1", "sha256=aa", BODY).await;
    world.receive_by("g1", "2", "sha256=bb", BODY).await;
    let events = world.until(|events| routed(events).len() == 3).await;
    let decisions = routed(&events);
    let kinds: Vec<_> = decisions[1..]
        .iter()
        .map(|r| r.repeats.clone().unwrap().kind)
        .collect();
    assert_eq!(kinds, [RepeatKind::Redelivery, RepeatKind::OtherHook]);
    for decision in &decisions[1..] {
        assert_eq!(decision.matches[0].outcome, MatchOutcome::AlreadyDelivered);
        assert_eq!(
            decision.matches[0].delivery,
            decisions[0].matches[0].delivery
        );
    }
    running.stop().await.unwrap();
    assert_eq!(subscriber.requests().len(), 1);
}

#[tokio::test]
async fn a_subscription_may_ask_for_duplicates() {
    let policy = Policy {
        duplicates: true,
        ..quick()
    };
    let (world, subscriber, running) = once_delivered(policy).await;
    world.receive_by("g1", "1", "sha256=aa", BODY).await;
    let events = world.until(|events| ended(events) == 2).await;
    assert!(routed(&events)[1].repeats.is_some());
    assert_eq!(subscriber.requests().len(), 2);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn other_bytes_under_the_same_name_are_delivered_and_marked() {
    let (world, _, running) = once_delivered(quick()).await;
    world.receive_by("g1", "1", "sha256=cc", b"{}").await;
    let events = world.until(|events| ended(events) == 2).await;
    assert_eq!(
        routed(&events)[1].repeats.clone().unwrap().kind,
        RepeatKind::Conflict
    );
    running.stop().await.unwrap();
}

#[tokio::test]
async fn the_same_bytes_under_another_name_are_delivered_and_marked() {
    let (world, _, running) = once_delivered(quick()).await;
    world.receive_by("g2", "1", "sha256=aa", BODY).await;
    let events = world.until(|events| ended(events) == 2).await;
    let repeats = routed(&events)[1].repeats.clone().unwrap();
    assert_eq!(repeats.kind, RepeatKind::ReplaySuspect);
    assert_eq!(repeats.receipt, routed(&events)[0].receipt);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_redelivery_finds_what_is_open_and_requeues_what_is_dead() {
    let world = World::new().await;
    let replies = [Reply::Status(500), Reply::Status(500)];
    let subscriber = Subscriber::start(&replies, Reply::Status(200)).await;
    let policy = Policy {
        attempts_max: 2,
        ..quick()
    };
    world.subscribe("one", &subscriber.url, policy).await;
    let running = world.start().await;
    world.receive("g1").await;
    world.until(|events| attempts(events).len() == 1).await;
    world.receive("g1").await;
    let events = world.until(|events| routed(events).len() == 2).await;
    assert_eq!(
        routed(&events)[1].matches[0].outcome,
        MatchOutcome::AlreadyOpen
    );
    world.clock.advance(Duration::from_secs(1));
    world.until(|events| ended(events) == 1).await;
    world.receive("g1").await;
    let events = world.until(|events| ended(events) == 2).await;
    assert_eq!(
        routed(&events)[2].matches[0].outcome,
        MatchOutcome::RequeuedDeadLetter
    );
    let numbers: Vec<_> = attempts(&events).iter().map(|a| a.number).collect();
    assert_eq!(numbers, [1, 2, 1]);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn repeats_within_one_turn_are_seen_too() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    for _ in 0..3 {
        world.receive("g1").await;
    }
    let running = world.start().await;
    let events = world.until(|events| routed(events).len() == 3).await;
    let outcomes: Vec<_> = routed(&events)
        .iter()
        .map(|r| r.matches[0].outcome)
        .collect();
    let open = MatchOutcome::AlreadyOpen;
    assert_eq!(outcomes, [MatchOutcome::Owed, open, open]);
    running.stop().await.unwrap();
    assert_eq!(subscriber.requests().len(), 1);
}
