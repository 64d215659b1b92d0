//! The same event once more: redelivered, through another hook, or under another name.

use super::subscriber::{Reply, Subscriber};
use super::world::{World, attempts, ended, quick, routed};
use crate::clock::Clock as _;
use hooklog_schemas::Offset;
use hooklog_schemas::control::Policy;
use hooklog_schemas::deliveries::{
    Attempted, Because, Cancelled, MatchOutcome, RepeatKind, Verdict,
};
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
async fn a_redelivery_after_a_rotation_of_the_secret_is_one_all_the_same() {
    let (world, subscriber, running) = once_delivered(quick()).await;
    for signature in ["sha256=new", "sha256=new", "sha256=aa"] {
        world.receive_by("g1", "1", signature, BODY).await;
    }
    let events = world.until(|events| routed(events).len() == 4).await;
    for decision in &routed(&events)[1..] {
        let kind = decision.repeats.clone().unwrap().kind;
        assert_eq!(kind, RepeatKind::Redelivery);
        assert_eq!(decision.matches[0].outcome, MatchOutcome::AlreadyDelivered);
    }
    running.stop().await.unwrap();
    assert_eq!(subscriber.requests().len(), 1);
}

/// Stops the worker, changes something about the index of identities, and redelivers.
async fn redelivered_after(change: impl FnOnce(&mut World)) {
    let (mut world, subscriber, running) = once_delivered(quick()).await;
    running.stop().await.unwrap();
    assert!(world.folder.path().join("snapshots").exists());
    change(&mut world);
    let running = world.start().await;
    world.receive_by("g1", "1", "sha256=aa", BODY).await;
    let events = world.until(|events| routed(events).len() == 2).await;
    let decision = &routed(&events)[1];
    let kind = decision.repeats.clone().unwrap().kind;
    assert_eq!(kind, RepeatKind::Redelivery);
    assert_eq!(decision.matches[0].outcome, MatchOutcome::AlreadyDelivered);
    running.stop().await.unwrap();
    assert_eq!(subscriber.requests().len(), 1);
}

#[tokio::test]
async fn a_deleted_index_is_filled_from_the_log_whatever_snapshots_there_are() {
    redelivered_after(|world| {
        std::fs::remove_dir_all(world.folder.path().join("identities")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_index_with_a_longer_window_than_before_is_filled_from_the_log() {
    redelivered_after(|world| world.config.redelivery_window_days += 1).await;
}

#[tokio::test]
async fn a_receipt_that_was_handed_over_twice_is_delivered_once() {
    for policy in [
        quick(),
        Policy {
            duplicates: true,
            ..quick()
        },
    ] {
        let (world, subscriber, running) = once_delivered(policy).await;
        world.hand_over_again(0).await;
        let later = Subscriber::start(&[], Reply::Status(200)).await;
        world.subscribe("later", &later.url, quick()).await;
        world.hand_over_again(0).await;
        let events = world.until(|events| routed(events).len() == 3).await;
        let [first, twice, thrice] = &routed(&events)[..] else {
            panic!("{events:#?}")
        };
        for again in [twice, thrice] {
            assert_eq!(again.receipt, first.receipt);
            assert_eq!(again.repeats.clone().unwrap().receipt, first.receipt);
            let [found] = &again.matches[..] else {
                panic!("{again:#?}")
            };
            assert_eq!(found.outcome, MatchOutcome::AlreadyDelivered);
            assert_eq!(found.delivery, first.matches[0].delivery);
        }
        running.stop().await.unwrap();
        assert_eq!(subscriber.requests().len(), 1);
        assert_eq!(later.requests().len(), 0);
    }
}

#[tokio::test]
async fn what_was_cancelled_and_then_delivered_late_is_not_owed_to_a_redelivery() {
    let world = World::new().await;
    let subscriber = Subscriber::start(&[Reply::Status(500)], Reply::Status(200)).await;
    world.subscribe("one", &subscriber.url, quick()).await;
    let running = world.start().await;
    world.receive_by("g1", "1", "sha256=aa", BODY).await;
    let events = world.until(|events| attempts(events).len() == 1).await;
    let failed = attempts(&events).remove(0);
    let cancelled = Cancelled {
        delivery: failed.delivery,
        receipt: failed.receipt,
        subscription: failed.subscription,
        because: Because::Command(crate::clock::event_id()),
        at: world.clock.now(),
    };
    world.append(cancelled, Some(Offset(0))).await;
    let late = Attempted {
        number: 2,
        verdict: Verdict::Delivered,
        ..failed
    };
    world.append(late, Some(Offset(0))).await;
    world.receive_by("g2", "1", "sha256=bb", b"{}").await;
    world.until(|events| routed(events).len() == 2).await;
    world.receive_by("g1", "1", "sha256=aa", BODY).await;
    let events = world.until(|events| routed(events).len() == 3).await;
    assert_eq!(
        routed(&events)[2].matches[0].outcome,
        MatchOutcome::AlreadyDelivered
    );
    running.stop().await.unwrap();
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
